"""The scenario suite with Temporal as the durable engine: every entry, event and end as with the local one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scenarios.player import Scenario
from tests.scenarios.test_scenarios import FILES
from tests.temporal_server import temporal_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
# Where nobody intervenes the first life is all there is, and that is the same on both engines: a few stand for the rest.
SCENARIOS = {file.stem: Scenario.read(file) for file in FILES}
STAND_FOR_THE_REST = {"chain", "fan_out_join_all", "loop_until_good", "tool_node"}
PLAYED = [file for file in FILES if SCENARIOS[file.stem].text("do").strip() or file.stem in STAND_FOR_THE_REST]


def test_scenarios_end_as_on_the_local_engine(tmp_path: Path) -> None:
    """Files are played by a process of its own against a real Temporal server; each trace is what the file says."""
    with temporal_server(tmp_path) as address:
        command = [sys.executable, "-m", "tests.temporal.scenarios_on_temporal", address, *map(str, PLAYED)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)

    assert done.returncode == 0, done.stderr[-4000:]
    played = dict(json.loads(line) for line in done.stdout.splitlines())
    assert len(played) >= 15
    assert played == {file.stem: [line for line in SCENARIOS[file.stem].sections["trace"] if line] for file in PLAYED}
