"""docs/terminal.md, typed in as a newcomer would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.free_ports import free_port
from tests.terminal.conftest import GUIDE, refuse_or_skip

BLOCK = re.compile(r"^```sh\n(?P<typed>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```\n)?", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_block_does_what_it_says(grpcurl: Path, tmp_path: Path) -> None:
    """One shell, one directory, all blocks in their order; each prints the lines shown below it."""
    if shutil.which("curl") is None:
        refuse_or_skip("the guide's commands need curl")
    blocks = [
        (match["typed"], (match["printed"] or "").splitlines()) for match in BLOCK.finditer(GUIDE.read_text("utf-8"))
    ]
    assert len(blocks) == GUIDE.read_text("utf-8").count("```sh\n") > 0
    marks = [f"echo 'end of block {number}'\n" for number in range(len(blocks))]
    script = "".join(f"{typed}{mark}" for (typed, _), mark in zip(blocks, marks, strict=True))
    free = {port: str(free_port()) for port in ("8765", "8766")}
    script = re.sub("|".join(free), lambda found: free[found[0]], script)
    done = shell(script, grpcurl.parent, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]

    shown = re.split(r"end of block \d+\n", done.stdout)
    for (typed, printed), output in zip(blocks, shown, strict=False):
        missing = [line for line in printed if line not in output]
        assert not missing, f"{typed}\ndoes not print {missing} but:\n{output}"


def shell(script: str, tools: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs a script that ends at the first command that fails; stderr is in its place among stdout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MESHFLOW_", "ANTHROPIC_"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), str(tools), kept["PATH"]))
    command = f"trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{script}"
    return subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-m", "-c", command],
        cwd=directory,
        env={**kept, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
