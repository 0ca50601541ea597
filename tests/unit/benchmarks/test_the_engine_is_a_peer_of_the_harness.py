"""The adapter does what a harness asks of every engine, in process and behind gRPC, so that its figures are of finished runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.capstone import STEPS

ROOT = Path(__file__).parents[3]
HARNESS = """
import asyncio, sys
from benchmarks.peers.ours_peer import Peer

async def main(directory, backend):
    peer = Peer()
    await peer.start(directory, backend, {})
    try:
        await peer.run("a", 0.001)
        await peer.chain("b", 3, 1_000)
        await peer.park("c")
        await peer.unpark("c")
    finally:
        await peer.stop()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("backend", ["sqlite", "sqlite+grpc", "sqlite+stream"])
def test_runs_chains_and_gates_end(backend: str, tmp_path: Path) -> None:
    """Each run has its committed steps in the ledger, the approved one that of the human too."""
    command = [sys.executable, "-c", HARNESS, str(tmp_path), backend]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    ledger = sqlite3.connect(tmp_path / "ledger.db")
    kinds = "SELECT sum(kind = 'step_committed'), sum(kind = 'run_finished') FROM ledger_entries GROUP BY run_id"
    found = sorted(ledger.execute(kinds))
    ledger.close()

    assert found == [(3, 1), (STEPS, 1), (STEPS + 1, 1)]
