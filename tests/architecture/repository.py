"""The files of this repository, as git would commit them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "meshflow_grpc"
GENERATED = (
    PACKAGE / "_gen",
    ROOT / "clients" / "go" / "gen",
    ROOT / "clients" / "typescript" / "src" / "gen",
    ROOT / "clients" / "java" / "src" / "main" / "java" / "dev" / "meshflow" / "v1",
)


@cache
def committed_files() -> tuple[Path, ...]:
    """Returns the tracked files and the untracked ones that git does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(filter(None, listing.stdout.split("\0"))))
    return tuple(path for path in (ROOT / name for name in names) if path.is_file())


@cache
def handwritten_python() -> tuple[Path, ...]:
    """Returns the Python files that people maintain."""
    return tuple(path for path in committed_files() if path.suffix == ".py" and not is_generated(path))


def is_generated(path: Path) -> bool:
    """Tells whether a tool wrote the file."""
    return any(path.is_relative_to(directory) for directory in GENERATED)


def shown(path: Path) -> str:
    """Returns the path as a reader of the repository knows it."""
    return path.relative_to(ROOT).as_posix()
