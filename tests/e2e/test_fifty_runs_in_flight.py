"""SIGTERM and SIGKILL while fifty runs are under way: everyone is answered or can ask again, and every run ends as it should."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer

pytestmark = pytest.mark.slow
RUNS = 50
POLL_S = 0.01
PAYING = """
name: paying
entry: clerk
nodes:
  clerk: {role: EXECUTOR, max_output_tokens: 16, mock: {output: ok}}
  t: {kind: tool, tool: pay, arguments: {amount: 5}}
edges: [clerk -> t]
"""


def in_flight(server: MeshflowServer, count: int) -> list[str]:
    """The ids of the runs on the ledger, once there are so many."""
    deadline = time.monotonic() + 60
    while len(rows := server.rows("SELECT run_id FROM runs")) < count:
        assert time.monotonic() < deadline, rows
        time.sleep(POLL_S)
    return [run_id for (run_id,) in rows]


def ended(server: MeshflowServer, run_ids: list[str]) -> list[dict[str, Any]]:
    """The runs once they have ended, each with a valid chain."""
    with httpx.Client(base_url=server.url, timeout=60) as http, ThreadPoolExecutor(16) as pool:
        runs = list(pool.map(lambda r: http.get(f"/v1/runs/{r}:wait", params={"timeout_s": 30}).json(), run_ids))
        assert all(pool.map(lambda r: http.get(f"/v1/runs/{r}:verify").json()["valid"], run_ids))
    return runs


def calls(server: MeshflowServer, pool: ThreadPoolExecutor) -> list[Any]:
    """Fifty callers who wait; every second one watches as well."""

    def stream(number: int) -> list[str]:
        with httpx.stream("POST", f"{server.url}/stream", json={"task": f"t{number}"}, timeout=60) as answer:
            return [line for line in answer.iter_lines() if line.startswith("data: ")]

    def run(number: int) -> httpx.Response:
        return server.post("/run", {"task": f"t{number}", "request_id": f"r{number}"})

    return [pool.submit(run if number % 2 else stream, number) for number in range(RUNS)]


def test_sigterm_lets_fifty_runs_finish(start_server: StartServer, tmp_path: Path) -> None:
    """Callers and streams get their ends, the exit code is 0, and the log says nothing of errors."""
    server = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="700")
    with ThreadPoolExecutor(RUNS) as pool:
        waiting = calls(server, pool)
        in_flight(server, RUNS)
        code = server.stop()
        answers = [each.result() for each in waiting]
    assert code == 0
    for answer in answers:
        if isinstance(answer, httpx.Response):
            assert (answer.status_code, answer.json()["status"]) == (200, "completed"), answer.text
        else:
            assert len(answer) == 4, answer
            assert '"run_completed"' in answer[-1]
    assert [entry for entry in server.log if entry.get("level") in {"error", "critical"}] == []


def test_what_sigterm_cannot_wait_for_goes_on_after_the_restart(start_server: StartServer, tmp_path: Path) -> None:
    """Beyond the grace callers are told so, with their run's id; asked again under their request ids they get their answers."""
    server = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="60000", MESHFLOW_SHUTDOWN_GRACE_S="1")
    with ThreadPoolExecutor(RUNS) as pool:
        waiting = calls(server, pool)
        run_ids = in_flight(server, RUNS)
        code = server.stop()
        answers = [each.result() for each in waiting]
    assert code == 0
    told = {}
    for number, answer in enumerate(answers):
        if isinstance(answer, httpx.Response):
            assert answer.status_code == 503, answer.text
            (info,) = [each for each in answer.json()["details"] if each["@type"].endswith("ErrorInfo")]
            assert info["reason"] == "DRAINING", answer.text
            told[f"r{number}"] = info["metadata"]["run_id"]
        else:
            assert '"stream_error"' in answer[-1], answer
    assert set(told.values()) < set(run_ids)

    again = start_server(tmp_path)
    assert {run["status"] for run in ended(again, run_ids)} == {"completed"}
    request_id, run_id = next(iter(told.items()))
    answer = again.post("/run", {"task": f"t{request_id[1:]}", "request_id": request_id}).json()
    assert (answer["run_id"], answer["status"]) == (run_id, "completed")


def test_sigkill_during_fifty_runs_loses_none_and_pays_none_twice(start_server: StartServer, tmp_path: Path) -> None:
    """Each completes after the restart, or ends in doubt about the payment that it had begun."""
    environment = {"MESHFLOW_APP": "tests.e2e.effects:registry", "EFFECTS_DIR": str(tmp_path)}
    (tmp_path / "go").touch()
    server = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="1000", **environment)
    body = {"task": "x", "workflow_yaml": PAYING}
    with ThreadPoolExecutor(16) as pool:
        run_ids = list(pool.map(lambda _: server.post("/v1/runs", body).json()["run_id"], range(RUNS)))
    deadline = time.monotonic() + 60
    paid = tmp_path / "paid"
    while not paid.exists():
        assert time.monotonic() < deadline
        time.sleep(POLL_S)
    server.kill()
    before = len(paid.read_text().splitlines())
    (tmp_path / "answer").touch()

    again = start_server(tmp_path, **environment)
    runs = ended(again, run_ids)
    payments = Counter(line.split()[0] for line in paid.read_text().splitlines())
    assert max(payments.values()) == 1
    assert before >= 1
    for run in runs:
        if run["status"] == "completed":
            assert payments[run["run_id"]] == 1
        else:
            assert (run["status"], "IN_DOUBT" in run["status_reason"]) == ("failed", True), run
    assert sum(run["status"] == "failed" for run in runs) >= before
