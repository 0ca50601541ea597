"""``make run`` never pretends: what goes wrong is told, and the exit code is not 0."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_a_server_that_does_not_start_is_reported(tmp_path: Path) -> None:
    """The reason the server gave is shown, and no process is left behind."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHFLOW_")}
    environment |= {"MESHFLOW_DATA_DIR": str(tmp_path), "MESHFLOW_LOG_LEVL": "info"}
    command = [sys.executable, "-m", "meshflow_grpc.cli.demo", "--once"]

    finished = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert finished.returncode == 1
    assert "make run failed: the server ended with 2" in finished.stderr
    assert "did you mean MESHFLOW_LOG_LEVEL?" in finished.stderr
