"""Programs of Go modules, built once into build/tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def built(module: str) -> Path:
    """Returns the program of ``path@version``, built on first use. Raises SystemExit without Go."""
    path, version = module.split("@")
    folder = ROOT / "build" / "tools" / f"{path.replace('/', '-')}-{version}"
    if not folder.exists():
        go = shutil.which("go")
        if go is None:
            raise SystemExit(f"{Path(sys.argv[0]).name}: Go builds {path}, and there is no `go` on PATH; install Go")
        sys.stderr.write(f"Building {module} ...\n")
        environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
        subprocess.run([go, "install", module], check=True, env=environment)
    return next(folder.iterdir())
