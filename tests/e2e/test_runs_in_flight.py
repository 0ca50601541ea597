"""What happens to a run under way: seen live, cancelled when its caller leaves, resumed after kill -9."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshflow_grpc.client import Client
from tests.e2e.conftest import MeshflowServer, StartServer
from tests.session_peak import peak_nano_usd

POLL_S = 0.01
# Longer than any test: only what a test does ends its step.
HELD = "name: held\nentry: sloth\nnodes:\n  sloth: {role: BUILDER, mock: {latency_ms: 600000}}\n"
ORDER = """
name: orders
entry: clerk
nodes:
  clerk: {role: EXECUTOR, mock: {output: ok}}
  order: {kind: tool, tool: order, arguments: {item: tea}}
edges: [clerk -> order]
"""


def ended(server: MeshflowServer, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""
    run: dict[str, Any] = server.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": 50}).json()
    return run


def test_the_first_sse_event_arrives_while_the_run_goes_on_and_closing_cancels_it(server: MeshflowServer) -> None:
    """Not buffered; and the ledger says who ended it."""
    url = f"{server.url}/stream"
    with httpx.stream("POST", url, json={"task": "x", "workflow_yaml": HELD}, timeout=60) as response:
        lines = response.iter_lines()
        line = next(line for line in lines if line.startswith("data: "))
        run_id = json.loads(line.removeprefix("data: "))["run_id"]
        assert server.get(f"/v1/runs/{run_id}").json()["status"] == "running"

    run = ended(server, run_id)
    assert (run["status"], run["status_reason"]) == ("cancelled", "cancelled by disconnect")
    kinds = [row[0] for row in server.rows("SELECT kind FROM ledger_entries WHERE run_id = ? ORDER BY seq", run_id)]
    assert kinds == ["run_started", "step_cancelled", "run_finished"]


def test_a_reader_that_reconnects_gets_exactly_the_missing_events(slow_server: MeshflowServer) -> None:
    """From every point, during the run and after it."""
    run_id = slow_server.post("/v1/runs", {"task": "x"}).json()["run_id"]

    def ids(after: int) -> list[int]:
        url = f"{slow_server.url}/v1/runs/{run_id}/events"
        with httpx.stream("GET", url, headers={"last-event-id": str(after)}, timeout=60) as response:
            return [int(line.removeprefix("id: ")) for line in response.iter_lines() if line.startswith("id: ")]

    with ThreadPoolExecutor(5) as pool:
        during = list(pool.map(ids, range(4)))
    assert during == [[1, 2, 3, 4], [2, 3, 4], [3, 4], [4]]
    assert [ids(after) for after in range(5)] == [*during, []]


def test_cancel_is_confirmed(server: MeshflowServer) -> None:
    """The answer is the ended run."""
    run_id = server.post("/v1/runs", {"task": "x", "workflow_yaml": HELD}).json()["run_id"]
    run = server.post(f"/v1/runs/{run_id}:cancel", {"reason": "enough"}).json()

    assert (run["status"], run["status_reason"]) == ("cancelled", "cancelled by request: enough")


@pytest.mark.slow
def test_kill_9_loses_and_doubles_nothing(start_server: StartServer, tmp_path: Path) -> None:
    """Every acknowledged step is there and verifies, and the runs go on after the restart."""
    environment = {"MESHFLOW_APP": "tests.e2e.effects:registry", "EFFECTS_DIR": str(tmp_path)}
    server = start_server(tmp_path, **environment)
    body = {"task": "x", "workflow_yaml": ORDER}
    run_ids = [server.post("/v1/runs", body).json()["run_id"] for _ in range(5)]
    with Client(server.url) as client:
        events = client.watch_run(run_ids[0])
        acknowledged = [next(iter(events)).sequence for _ in range(2)]
    server.kill()

    (tmp_path / "go").touch()
    (tmp_path / "answer").touch()
    again = start_server(tmp_path, **environment)
    for run_id in run_ids:
        assert ended(again, run_id)["status"] == "completed"
        assert again.get(f"/v1/runs/{run_id}:verify").json()["valid"]
        committed = again.rows(
            "SELECT node_id FROM ledger_entries WHERE run_id = ? AND kind = 'step_committed' ORDER BY seq", run_id
        )
        assert committed == [("clerk",), ("order",)]
        resumed = "SELECT count(*) FROM ledger_entries WHERE run_id = ? AND kind = 'run_resumed'"
        assert again.rows(resumed, run_id) == [(1,)]
    assert len(acknowledged) == 2


@pytest.mark.slow
def test_kill_9_lets_no_session_exceed_its_budget(start_server: StartServer, tmp_path: Path) -> None:
    """What the killed calls may have cost is charged; by the ledger Σreserved + Σspent was within the budget at every entry."""
    server = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="1000")
    probe = server.post("/run", {"task": "probe"}).json()
    budget = 25 * probe["total_cost_usd"]
    body = {"session_id": "s", "policy": {"session_budget_usd": budget, "budget_usd": budget}}
    with ThreadPoolExecutor(20) as pool:
        created = pool.map(lambda i: server.post("/v1/runs", {"task": f"task {i}", **body}).json(), range(20))
        run_ids = [run["run_id"] for run in created]
    unsettled = (
        "SELECT count(*) FROM (SELECT sum(kind = 'budget_reserved') AS reserved, sum(kind LIKE 'step_%') AS ended "
        "FROM ledger_entries GROUP BY run_id) WHERE reserved > ended"
    )
    while not server.rows(unsettled)[0][0]:
        time.sleep(POLL_S)
    server.kill()

    again = start_server(tmp_path)
    statuses = {ended(again, run_id)["status"] for run_id in run_ids}
    later = [again.post("/run", {"task": f"later {i}", **body}).json() for i in range(30)]
    assert statuses <= {"completed", "blocked"}
    assert (later[-1]["status"], later[-1]["blocked_by"]) == ("blocked", "budget_check")
    assert "session_budget_usd" in later[-1]["block_reason"]
    session = "SELECT e.record FROM ledger_entries e JOIN runs r USING (run_id) WHERE r.session_id = 's' ORDER BY e.seq"
    assert peak_nano_usd(record for (record,) in again.rows(session)) <= round(budget * 1e9)
    charged = again.rows(
        "SELECT count(*) FROM ledger_entries WHERE kind = 'run_resumed' AND CAST(record AS TEXT) LIKE '%\"usage\"%'"
    )
    assert charged[0][0] > 0
    assert all(again.get(f"/v1/runs/{run_id}:verify").json()["valid"] for run_id in run_ids)


@pytest.mark.slow
def test_sigterm_finishes_what_is_in_flight(start_server: StartServer, tmp_path: Path) -> None:
    """The caller gets its answer, the exit code is 0, Envoy is gone."""
    server = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="300")
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(server.post, "/run", {"task": f"task {i}", "request_id": f"r{i}"}) for i in range(8)]
        with Client(server.url) as client:
            while len(client.list_runs().runs) < 8:
                time.sleep(POLL_S)
        code = server.stop()
        answers = [call.result() for call in calls]

    assert code == 0
    assert {a.status_code for a in answers} == {200}
    assert {a.json()["status"] for a in answers} == {"completed"}
    with pytest.raises(httpx.TransportError):
        server.get("/health")


@pytest.mark.slow
def test_five_hundred_runs_at_sixty_four_in_flight(start_server: StartServer) -> None:
    """500 ids, rows = sum of ledger_entries, all verify, no error."""
    server = start_server()
    with (
        httpx.Client(base_url=server.url, timeout=60, limits=httpx.Limits(max_connections=64)) as http,
        ThreadPoolExecutor(64) as pool,
    ):

        def run(number: int) -> dict[str, Any]:
            response = http.post("/run", json={"task": f"Question {number}: why are there tides?"})
            assert response.status_code == 200, response.text
            answer: dict[str, Any] = response.json()
            return answer

        runs = list(pool.map(run, range(500)))
        assert len({r["run_id"] for r in runs}) == 500
        assert {r["status"] for r in runs} == {"completed"}
        assert server.rows("SELECT count(*) FROM ledger_entries") == [(sum(r["ledger_entries"] for r in runs),)]
        verified = pool.map(lambda r: http.get(f"/v1/runs/{r['run_id']}:verify").json()["valid"], runs)
        assert all(verified)
