"""docs/operations.md, typed in as a newcomer would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.free_ports import free_port

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "operations.md").read_text("utf-8")
ONE_SERVER, TWO_REPLICAS = GUIDE.split("\n## Two replicas on one machine\n")
PORTS = ("8765", "5433", "50051", "50052", "9464", "9465", "4317", "4318", "9090", "9901")
CLEAN_UP = """
tail -n 4 *.log >&2 || true
kill $(jobs -p) 2>/dev/null || true
if [ -d "${database:-}" ]; then
  as_postgres env "PATH=$PATH" pg_ctl --pgdata "$database/data" --mode immediate stop || true
  rm -rf "$database"
fi
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_for_one_server_works(tmp_path: Path) -> None:
    """One shell, one directory, all blocks in their order; the first command that fails ends it."""
    _needs("sqlite3", "curl")
    _typed(ONE_SERVER, tmp_path, tmp_path)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(600)  # the collector is built when it is not there yet
def test_every_command_for_two_replicas_works(tmp_path: Path) -> None:
    """From an empty database to a rotated key, through a killed server, a stopped database and a restored backup."""
    _needs("psql", "prometheus", "promtool", "curl", "go")
    _typed(TWO_REPLICAS, ROOT, tmp_path)


def _needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        reason = f"the guide's commands need {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _typed(text: str, directory: Path, temporary: Path) -> None:
    """Types every `sh` block; the guide's ports are exchanged for free ones."""
    script = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    # At once: a free port may hold the digits of another one of the guide's.
    free = {port: str(free_port()) for port in PORTS}
    script = re.sub("|".join(PORTS), lambda found: free[found[0]], script)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MESHFLOW_", "ANTHROPIC_", "OTEL_"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    (temporary / "clean-up").write_text(CLEAN_UP)
    command = f"trap '. {temporary}/clean-up' EXIT\n{script}"
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-x", "-m", "-c", command],
        cwd=directory,
        env={**kept, "PATH": path, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr[-6000:] + done.stdout[-1000:]
