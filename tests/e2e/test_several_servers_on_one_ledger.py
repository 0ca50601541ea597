"""Four real server processes on one real PostgreSQL: killed, frozen, and cut off from the database under load."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.postgres_cluster import postgres_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
SERVERS = 4
DEADLINE_S = 60.0


@contextmanager
def servers(start: StartServer, directory: Path, url: str, **more: str) -> Iterator[list[MeshflowServer]]:
    """Servers that share the ledger and its signing key; those still alive are stopped, and the whole log is then verified."""
    environment = {
        "MESHFLOW_DATA_DIR": str(directory),
        "MESHFLOW_LEDGER_DB": url,
        "MESHFLOW_LEASE_S": "2",
        "MESHFLOW_PG_POOL_MAX": "4",
        "MESHFLOW_MOCK_LATENCY_MS": "1000",
        **more,
    }
    started = [start(directory, **environment) for _ in range(SERVERS)]
    try:
        yield started
    finally:
        for server in started:
            server.stop()
    command = [sys.executable, "-m", "meshflow_grpc", "ledger", "verify", "--db", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def created(server: MeshflowServer, count: int) -> list[str]:
    """Starts runs in the background; returns their ids."""
    return [server.post("/v1/runs", {"task": f"task {number}"}).json()["run_id"] for number in range(count)]


def ended(server: MeshflowServer, run_ids: list[str]) -> list[dict[str, Any]]:
    """Waits for the runs through one server, whoever executes them."""
    with ThreadPoolExecutor(16) as pool:
        path = "/v1/runs/{}:wait"
        return list(
            pool.map(lambda each: server.get(path.format(each), params={"timeout_s": DEADLINE_S}).json(), run_ids)
        )


def entries(server: MeshflowServer, run_id: str) -> list[dict[str, Any]]:
    """All entries of a run."""
    found: list[dict[str, Any]] = server.get(f"/v1/runs/{run_id}/entries").json()["entries"]
    return found


def check_whole(server: MeshflowServer, run_id: str) -> None:
    """The run has one start, one end, and each step's outcome once."""
    found = entries(server, run_id)
    assert [entry["sequence"] for entry in found] == list(range(1, len(found) + 1))
    kinds = [entry["kind"] for entry in found]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
    assert kinds.count("run_finished") == 1
    committed = [entry["node_id"] for entry in found if entry["kind"] == "step_committed"]
    assert committed == ["researcher", "writer"], kinds


def test_runs_of_a_killed_server_are_finished_by_the_others(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """kill -9 in the middle of its runs: all complete elsewhere, no entry is lost or doubled, verification finds no fault."""
    with servers(start_server, tmp_path, postgres.new_database()) as (victim, *others):
        kept = [run_id for other in others for run_id in created(other, 6)]
        lost = created(victim, 12)
        victim.kill()
        runs = ended(others[0], [*lost, *kept])
        assert [run["status"] for run in runs] == ["completed"] * len(runs)
        for run_id in (*lost, *kept):
            check_whole(others[1], run_id)
        resumed = [run_id for run_id in lost if any(e["kind"] == "run_resumed" for e in entries(others[2], run_id))]
        assert resumed


def test_a_frozen_server_writes_nothing_more_of_runs_it_lost(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """SIGSTOP for longer than its lease, then SIGCONT: its callers get the runs' answers from wherever they were finished."""
    with servers(start_server, tmp_path, postgres.new_database()) as (frozen, *others):
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(frozen.post, "/run", {"task": f"t{n}", "request_id": f"r-{n}"}) for n in range(4)]
            run_ids = listed(others[0], 4)
            frozen.process.send_signal(signal.SIGSTOP)
            try:
                runs = ended(others[0], run_ids)
            finally:
                frozen.process.send_signal(signal.SIGCONT)
            assert [run["status"] for run in runs] == ["completed"] * 4
            answers = [each.result().json() for each in waiting]
        assert sorted(str(answer.get("run_id")) for answer in answers) == sorted(run_ids), (answers, frozen.log[-12:])
        assert {answer["status"] for answer in answers} == {"completed"}
        for run_id in run_ids:
            check_whole(frozen, run_id)
        assert frozen.post("/run", {"task": "after"}).json()["status"] == "completed"


def listed(server: MeshflowServer, count: int) -> list[str]:
    """The ids of the runs on the ledger, once there are so many."""
    deadline = time.monotonic() + 60
    while len(found := server.get("/v1/runs").json().get("runs", [])) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return [run["run_id"] for run in found]


def test_an_outage_of_the_database_is_survived_by_all(start_server: StartServer, tmp_path: Path) -> None:
    """Stopped at once under load and started again: every acknowledged run completes by itself, whole."""
    with postgres_cluster() as own, servers(start_server, tmp_path, own.new_database()) as started:
        run_ids = [run_id for server in started for run_id in created(server, 5)]
        own.stop()
        own.start()
        deadline = time.monotonic() + DEADLINE_S
        while started[0].get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert {run["status"] for run in ended(started[0], run_ids)} == {"completed"}
        for run_id in run_ids:
            check_whole(started[1], run_id)


def test_any_server_serves_any_run(postgres: PostgresCluster, start_server: StartServer, tmp_path: Path) -> None:
    """Idempotent starts, watching, waiting, cancelling and deciding through servers that do not execute the run."""
    with servers(start_server, tmp_path, postgres.new_database(), MESHFLOW_MOCK_LATENCY_MS="1500") as started:
        owner, other, third, _ = started
        with ThreadPoolExecutor(SERVERS) as pool:
            body = {"task": "once", "request_id": "same"}
            answers = list(pool.map(lambda server: server.post("/run", body).json(), started))
        assert len({answer["run_id"] for answer in answers}) == 1, answers
        assert {answer["status"] for answer in answers} == {"completed"}

        (watched,) = created(owner, 1)
        with httpx.stream("GET", f"{other.url}/v1/runs/{watched}/events", timeout=60) as stream:
            lines = [line for line in stream.iter_lines() if line.startswith("id:")]
        assert [int(line.removeprefix("id:")) for line in lines] == sorted({int(x.removeprefix("id:")) for x in lines})

        (unwanted,) = created(owner, 1)
        cancelled = other.post(f"/v1/runs/{unwanted}:cancel", {"reason": "not needed"}).json()
        assert cancelled["status"] == "cancelled"
        assert third.get(f"/v1/runs/{unwanted}").json()["status"] == "cancelled"

        gated = {"task": "x", "policy": {"human_in_loop": {"enabled": True, "tier_threshold": "internal"}}}
        paused = owner.post("/run", gated).json()
        assert paused["status"] == "paused"
        with ThreadPoolExecutor(2) as pool:
            path = f"/v1/approvals/{paused['pending_approval']['approval_id']}:decide"
            decided = list(
                pool.map(lambda server: server.post(path, {"decision": "approve"}).status_code, (other, third))
            )
        assert decided == [200, 200]
        again = ended(owner, [paused["run_id"]])[0]
        assert again["status"] == "paused", again
        assert again["pending_approval"]["node_id"] == "writer"
        assert [e["kind"] for e in entries(third, paused["run_id"])].count("gate_decided") == 1
