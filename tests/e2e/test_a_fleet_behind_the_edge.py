"""Two servers on one PostgreSQL behind the edge Envoy, restarted and killed under a load of runs and streams."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from benchmarks.rolling_restart import measure, restarting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.envoy, pytest.mark.slow, pytest.mark.timeout(600)]
CALLERS = 14


async def test_a_rolling_restart_costs_no_call_and_no_run(postgres: PostgresCluster, tmp_path: Path) -> None:
    """SIGTERM to each in turn: runs, streams, waits and watches over REST, SSE and gRPC all succeed, though none is repeated."""
    outcome = await measure(
        postgres.new_database(), tmp_path, restarting(signal.SIGTERM), turns=2, callers=CALLERS, repeats=False
    )
    assert outcome.load.failures == []
    assert outcome.lost == []
    assert outcome.load.repeated == 0
    assert len(outcome.load.runs) >= 3 * CALLERS


async def test_runs_of_a_killed_server_complete_on_the_other(postgres: PostgresCluster, tmp_path: Path) -> None:
    """kill -9: streams go on by themselves, what was refused on the way succeeds when repeated, and no run is lost."""
    outcome = await measure(
        postgres.new_database(), tmp_path, restarting(signal.SIGKILL), turns=1, callers=CALLERS, repeats=True
    )
    assert outcome.load.failures == []
    assert outcome.lost == []
    assert len(outcome.load.runs) >= 2 * CALLERS
