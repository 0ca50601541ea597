"""A server frozen in the middle of an irreversible call: the other takes its run up, and nothing happens twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
NODE = "name: w\nentry: t\nnodes:\n  t: {{kind: tool, tool: {tool}, arguments: {arguments}}}\n"
PAY, ORDER = NODE.format(tool="pay", arguments="{amount: 5}"), NODE.format(tool="order", arguments="{item: tea}")
DEADLINE_S = 60.0


def until(path: Path, lines: int = 1) -> list[str]:
    """The lines of a file, once there are so many."""
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline, path
        time.sleep(0.01)
    return path.read_text().splitlines()


def two_servers(start: StartServer, directory: Path, url: str) -> tuple[MeshflowServer, MeshflowServer]:
    """Servers that share ledger, key and effects."""
    first, second = (
        start(
            directory,
            MESHFLOW_DATA_DIR=str(directory),
            MESHFLOW_LEDGER_DB=url,
            MESHFLOW_LEASE_S="2",
            MESHFLOW_APP="tests.e2e.effects:registry",
            EFFECTS_DIR=str(directory),
        )
        for _ in range(2)
    )
    return first, second


def ended(server: MeshflowServer, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""
    run: dict[str, Any] = server.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": DEADLINE_S}).json()
    return run


def whole(server: MeshflowServer, run_id: str) -> list[str]:
    """Kinds of the run's entries; its chain verifies and it ended once."""
    assert server.get(f"/v1/runs/{run_id}:verify").json()["valid"]
    kinds = [entry["kind"] for entry in server.get(f"/v1/runs/{run_id}/entries").json()["entries"]]
    assert kinds.count("run_finished") == 1
    return kinds


@pytest.mark.parametrize("frozen_after", ["begun", "paid"])
def test_a_frozen_server_pays_at_most_once(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path, frozen_after: str
) -> None:
    """Frozen just before the payment or just after it: the run ends in doubt on the other server, which never pays."""
    frozen, other = two_servers(start_server, tmp_path, postgres.new_database())
    if frozen_after == "paid":
        (tmp_path / "go").touch()
    run_id = frozen.post("/v1/runs", {"task": "x", "workflow_yaml": PAY}).json()["run_id"]
    until(tmp_path / frozen_after)
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        run = ended(other, run_id)
        (tmp_path / "go").touch()
        (tmp_path / "answer").touch()
    finally:
        frozen.process.send_signal(signal.SIGCONT)

    assert (run["status"], "IN_DOUBT" in run["status_reason"]) == ("failed", True), run
    assert ended(frozen, run_id) == run
    assert frozen.post("/run", {"task": "after"}).json()["status"] == "completed"
    assert frozen.stop() == 0
    assert len(until(tmp_path / "begun")) == 1
    paid = tmp_path / "paid"
    assert len(paid.read_text().splitlines() if paid.exists() else []) <= 1
    assert whole(other, run_id).count("step_intent") == 1


def test_an_idempotent_call_is_made_again_with_its_key(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """The run completes on the other server; whoever received both calls can tell that they are one."""
    frozen, other = two_servers(start_server, tmp_path, postgres.new_database())
    run_id = frozen.post("/v1/runs", {"task": "x", "workflow_yaml": ORDER}).json()["run_id"]
    until(tmp_path / "begun")
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        until(tmp_path / "begun", 2)
        (tmp_path / "go").touch()
        (tmp_path / "answer").touch()
        run = ended(other, run_id)
    finally:
        frozen.process.send_signal(signal.SIGCONT)

    assert run["status"] == "completed", run
    assert ended(frozen, run_id) == run
    assert frozen.stop() == 0
    assert len({line.split()[0] for line in (tmp_path / "ordered").read_text().splitlines()}) == 1
    assert whole(other, run_id).count("step_committed") == 1
