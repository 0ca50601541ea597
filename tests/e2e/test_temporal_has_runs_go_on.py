"""Servers with Temporal as their engine, against a real one: killed, stopped, asked and cancelled from either side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.free_ports import free_port
from tests.temporal_server import temporal_server
from tests.unit.engine.gated import PUBLISH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = pytest.mark.slow
TASK = "why tides exist"
GATED = {
    "task": TASK,
    "workflow_yaml": PUBLISH,
    "policy": {"human_in_loop": {"enabled": True, "tier_threshold": "EXTERNAL_IO"}},
}
# Waits before any agent is asked.
AT_ONCE = {**GATED, "workflow_yaml": "name: w\nentry: a\nnodes:\n  a: {risk: external_io}\n"}
DEADLINE_S = 60.0
TEMPORAL = Path(sysconfig.get_path("scripts")) / "temporal"


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Temporal server; each test has a task queue of its own."""
    with temporal_server(tmp_path_factory.mktemp("temporal")) as address:
        yield address


def settings(address: str, directory: Path, **more: str) -> dict[str, str]:
    """The environment of a server."""
    return {
        "MESHFLOW_ENGINE": "temporal",
        "MESHFLOW_TEMPORAL_ADDRESS": address,
        "MESHFLOW_TEMPORAL_TASK_QUEUE": directory.name,
        "MESHFLOW_LEASE_S": "2",
        **more,
    }


def told(address: str, *words: str) -> Any:
    """What Temporal's own command answers."""
    command = [TEMPORAL, "workflow", *words, "--address", address, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until(look: Callable[[], object], wanted: object) -> None:
    """Waits until something is as wanted."""
    deadline = time.monotonic() + DEADLINE_S
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def state(address: str, run_id: str) -> str:
    """How the run's workflow stands."""
    described = told(address, "describe", "--workflow-id", f"run/{run_id}")
    return str(described["workflowExecutionInfo"]["status"])


def ended(server: MeshflowServer, run_id: str) -> dict[str, Any]:
    """The run once it has ended, whoever executes it."""
    found: dict[str, Any] = server.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": DEADLINE_S}).json()
    return found


def entries(server: MeshflowServer, run_id: str) -> list[dict[str, Any]]:
    """All entries of a run."""
    found: list[dict[str, Any]] = server.get(f"/v1/runs/{run_id}/entries").json()["entries"]
    return found


def whole(server: MeshflowServer, run_id: str) -> list[str]:
    """The kinds of the run's entries, in order; the chain verifies, and the run ended once."""
    assert server.get(f"/v1/runs/{run_id}:verify").json()["valid"]
    kinds = [entry["kind"] for entry in entries(server, run_id)]
    assert kinds.count("run_finished") == 1
    return kinds


def approved(server: MeshflowServer, run: dict[str, Any]) -> None:
    """Somebody approves what the run waits for."""
    approval_id = run["pending_approval"]["approval_id"]
    assert server.post(f"/v1/approvals/{approval_id}:decide", {"decision": "approve"}).status_code == 200


def test_a_gate_outlives_the_server_and_temporal_learns_nothing_of_the_run(
    temporal: str, start_server: StartServer, tmp_path: Path
) -> None:
    """kill -9 while it waits, restart, approve: done once; the history names ids, digests, statuses and times alone.

    Who says in Temporal that it was decided changes nothing: what is decided is in the ledger.
    """
    server = start_server(tmp_path, **settings(temporal, tmp_path))
    run = server.post("/run", GATED).json()
    assert run["status"] == "paused"
    server.kill()
    server = start_server(tmp_path, **settings(temporal, tmp_path))
    until(lambda: happened(temporal, run["run_id"])[-1], "TIMER_STARTED")
    approval_id = run["pending_approval"]["approval_id"]
    digest = server.get(f"/v1/approvals/{approval_id}").json()["action_digest"]
    assert not update(temporal, run["run_id"], approval_id, "another action")
    assert update(temporal, run["run_id"], approval_id, digest)
    until(lambda: happened(temporal, run["run_id"])[-1], "TIMER_STARTED")
    before = happened(temporal, run["run_id"])
    assert server.get(f"/v1/runs/{run['run_id']}").json()["status"] == "paused"
    assert happened(temporal, run["run_id"]) == before
    approved(server, run)

    done = ended(server, run["run_id"])
    assert done["status"] == "completed"
    assert whole(server, run["run_id"]).count("step_committed") == 2
    until(lambda: state(temporal, run["run_id"]), "WORKFLOW_EXECUTION_STATUS_COMPLETED")
    history = told(temporal, "show", "--workflow-id", f"run/{run['run_id']}")
    inputs = {each for event in history["events"] for each in payloads(event)}
    assert inputs
    said = " ".join(map(str, inputs))
    for text in (TASK, done["output"], "publisher", "writer", "publishing"):
        assert text not in said
    assert run["run_id"] in said


def update(address: str, run_id: str, approval_id: str, digest: str) -> bool:
    """Whether the workflow takes in that a gate was decided, said by somebody who may use Temporal."""
    words = ["workflow", "update", "execute", "--workflow-id", f"run/{run_id}", "--name", "decided"]
    said = ["--input", json.dumps(approval_id), "--input", json.dumps(digest), "--address", address]
    done = subprocess.run([TEMPORAL, *words, *said], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0


def happened(address: str, run_id: str) -> list[str]:
    """The kinds of the events in the workflow's history."""
    history = told(address, "show", "--workflow-id", f"run/{run_id}")
    return [str(event["eventType"]).removeprefix("EVENT_TYPE_") for event in history["events"]]


def payloads(found: Any) -> list[str]:
    """All strings in a part of a history, at whatever depth."""
    if isinstance(found, dict):
        return [text for each in found.values() for text in payloads(each)]
    if isinstance(found, list):
        return [text for each in found for text in payloads(each)]
    return [str(found)]


@pytest.mark.postgres
def test_runs_of_killed_and_stopped_servers_go_on_elsewhere(
    temporal: str, postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """kill -9, then SIGTERM, each in the middle of a step: another server takes the run up, and each step is committed once."""
    shared = {"MESHFLOW_LEDGER_DB": postgres.new_database(), "MESHFLOW_DATA_DIR": str(tmp_path)}
    slow = settings(temporal, tmp_path, **shared, MESHFLOW_MOCK_LATENCY_MS="600000", MESHFLOW_SHUTDOWN_GRACE_S="0")
    first, second = start_server(tmp_path, **slow), start_server(tmp_path, **slow)
    run_id = first.post("/v1/runs", {"task": TASK}).json()["run_id"]
    until(lambda: state(temporal, run_id), "WORKFLOW_EXECUTION_STATUS_RUNNING")
    first.kill()
    until(lambda: [each["kind"] for each in entries(second, run_id)], ["run_started", "run_resumed"])
    third = start_server(tmp_path, **settings(temporal, tmp_path, **shared))
    assert second.stop() == 0

    assert ended(third, run_id)["status"] == "completed"
    kinds = whole(third, run_id)
    assert (kinds.count("run_resumed"), kinds.count("step_committed")) == (2, 2)
    until(lambda: state(temporal, run_id), "WORKFLOW_EXECUTION_STATUS_COMPLETED")


def test_a_server_whose_temporal_is_not_there_does_not_start(tmp_path: Path) -> None:
    """It names the setting, what is wrong, and what to do."""
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MESHFLOW_")},
        **settings(address, tmp_path, MESHFLOW_MOCK="1", MESHFLOW_DATA_DIR=str(tmp_path), MESHFLOW_METRICS_PORT="0"),
    }
    command = [sys.executable, "-m", "meshflow_grpc", "serve", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2, done.stderr
    assert "MESHFLOW_ENGINE" in done.stderr
    assert address in done.stderr
    assert "MESHFLOW_TEMPORAL_ADDRESS" in done.stderr


def test_a_run_is_cancelled_from_either_side(temporal: str, start_server: StartServer, tmp_path: Path) -> None:
    """A workflow cancelled in Temporal ends its run, in the ledger; a run cancelled here ends its workflow."""
    server = start_server(tmp_path, **settings(temporal, tmp_path, MESHFLOW_MOCK_LATENCY_MS="600000"))
    run_id = server.post("/v1/runs", {"task": TASK}).json()["run_id"]
    until(lambda: state(temporal, run_id), "WORKFLOW_EXECUTION_STATUS_RUNNING")
    command = [TEMPORAL, "workflow", "cancel", "--workflow-id", f"run/{run_id}", "--address", temporal]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    run = ended(server, run_id)
    assert run["status"] == "cancelled"
    (end,) = [each for each in entries(server, run_id) if each["kind"] == "run_finished"]
    assert "its Temporal workflow was cancelled" in json.dumps(end)
    until(lambda: state(temporal, run_id), "WORKFLOW_EXECUTION_STATUS_COMPLETED")
    whole(server, run_id)

    run = server.post("/run", AT_ONCE).json()
    assert run["status"] == "paused"
    cancelled = server.post(f"/v1/runs/{run['run_id']}:cancel", {"reason": "enough"}).json()
    assert cancelled["status"] == "cancelled"
    until(lambda: state(temporal, run["run_id"]), "WORKFLOW_EXECUTION_STATUS_COMPLETED")


def test_runs_that_temporal_was_never_told_of_are_found(
    temporal: str, start_server: StartServer, tmp_path: Path
) -> None:
    """Runs of a server that was killed before it could say so: one goes on by itself, one when its gate is decided."""
    server = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="600000")
    orphan = server.post("/v1/runs", {"task": TASK}).json()["run_id"]
    gated = server.post("/run", AT_ONCE).json()
    server.kill()

    server = start_server(tmp_path, **settings(temporal, tmp_path))
    approved(server, gated)
    assert ended(server, gated["run_id"])["status"] == "completed"
    assert ended(server, orphan)["status"] == "completed"
    assert "run_resumed" in whole(server, orphan)
    assert server.stop() == 0


def test_what_begins_while_temporal_is_away_ends_and_what_was_decided_goes_on_once_it_is_back(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Nobody waits for Temporal; one that forgot everything meanwhile is told of what the ledger has running."""
    port = free_port()
    with temporal_server(tmp_path, port) as address:
        server = start_server(tmp_path, **settings(address, tmp_path))
        gated = server.post("/run", GATED).json()
        until(lambda: happened(address, gated["run_id"])[-1], "TIMER_STARTED")
    assert server.post("/run", {"task": TASK}).json()["status"] == "completed"
    approved(server, gated)
    assert server.get(f"/v1/runs/{gated['run_id']}").json()["status"] == "running"

    with temporal_server(tmp_path, port):
        assert ended(server, gated["run_id"])["status"] == "completed"
        assert whole(server, gated["run_id"]).count("step_committed") == 2
        assert server.stop() == 0
