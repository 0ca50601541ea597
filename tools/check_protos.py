"""Checks proto/: buf's lint rules, its format, and compatibility with the last released tag.

CHANGELOG.md says what was released. The tag of the newest release must be in the clone, unless that release is the one being made
(pyproject.toml names it): then the one before counts, and the very first one has nothing to be compatible with.

`--format` rewrites proto/ into buf's format instead. The google/ protos that ours import come from
googleapis-common-protos and are copied below build/, which git ignores.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE = Path("build/googleapis")
RELEASED = re.compile(r"^## (\d+\.\d+\.\d+\S*)", re.MULTILINE)
IMPORTED = (
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)


def copy_google_protos(workspace: Path) -> None:
    """Makes the second module of buf.yaml below `workspace`."""
    include = Path(sysconfig.get_path("purelib"))
    for name in IMPORTED:
        target = workspace / MODULE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(include / name, target)


def buf(*arguments: str) -> None:
    """Runs buf at the repository root; exits with its status when it finds something."""
    command = [str(Path(sysconfig.get_path("scripts")) / "buf"), *arguments]
    finished = subprocess.run(command, cwd=ROOT, check=False)
    if finished.returncode != 0:
        sys.exit(f"buf {' '.join(arguments)}: failed")


def tagged(version: str) -> bool:
    """Whether the clone has the tag of a version."""
    known = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"refs/tags/v{version}"], cwd=ROOT, capture_output=True, check=False
    )
    return known.returncode == 0


def last_tag() -> str | None:
    """Returns the tag of the newest release, or None before the first. Exits when the clone lacks the tag it should have."""
    current = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for version in RELEASED.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")):
        if tagged(version):
            return f"v{version}"
        if version != current:
            sys.exit(
                f"CHANGELOG.md names release {version}, but this clone has no tag v{version}; run: git fetch --tags"
            )
    return None


def check_compatibility(tag: str) -> None:
    """Fails when proto/ breaks a client built against the protos of `tag`."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", tag, "proto"], cwd=ROOT, capture_output=True, check=True
    )
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as protos:
            for member in filter(tarfile.TarInfo.isfile, protos):
                target = Path(directory) / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                if (content := protos.extractfile(member)) is not None:
                    target.write_bytes(content.read())
        shutil.copyfile(ROOT / "buf.yaml", Path(directory) / "buf.yaml")
        copy_google_protos(Path(directory))
        buf("breaking", "--against", directory)


def main() -> None:
    """Runs the three checks, cheapest first, or only the formatter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", action="store_true", help="format proto/ in place and check nothing")
    arguments = parser.parse_args()
    copy_google_protos(ROOT)
    if arguments.format:
        buf("format", "proto", "--write")
        return
    buf("lint")
    print("buf lint: ok")
    buf("format", "proto", "--diff", "--exit-code")
    print("buf format: ok")
    tag = last_tag()
    if tag is None:
        print("buf breaking: nothing was released yet that clients could rely on")
    else:
        check_compatibility(tag)
        print(f"buf breaking: compatible with {tag}")


if __name__ == "__main__":
    main()
