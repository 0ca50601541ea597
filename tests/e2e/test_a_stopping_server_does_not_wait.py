"""A second SIGTERM, and `MESHFLOW_DRAIN=hand_over`: runs in flight are not waited for, and none is lost."""

from __future__ import annotations

import queue
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc.client import Client, MeshflowCallError
from tests.e2e.test_several_servers_on_one_ledger import check_whole, created, entries, listed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = pytest.mark.slow
GRACE_S = 120.0
DEADLINE_S = 60.0
# The first step is under way for long enough that whoever sees the run can stop its server meanwhile.
TWO_STEPS = """
name: two
entry: researcher
nodes:
  researcher: {role: RESEARCHER, mock: {latency_ms: 8000}}
  writer: {role: BUILDER, mock: {latency_ms: 500}}
edges: [researcher -> writer]
"""


def wait_until(true: Any) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_second_signal_ends_the_wait(start_server: StartServer, tmp_path: Path) -> None:
    """With a grace of minutes the server is gone at once, in good order; the run goes on after the restart."""
    grace = {"MESHFLOW_SHUTDOWN_GRACE_S": str(GRACE_S)}
    server = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="60000", **grace)
    (run_id,) = created(server, 1)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: [line for line in server.log if line["event"] == "stopping"])
    refused = server.post("/v1/runs", {"task": "late"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    not_ready = server.get("/readyz")
    assert (not_ready.status_code, not_ready.headers["retry-after"]) == (503, "1")
    assert server.process.poll() is None
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.stop() == 0
    assert time.monotonic() - begun < GRACE_S / 4
    assert [line["count"] for line in server.log if line["event"] == "runs_handed_over"] == [1]

    again = start_server(tmp_path)
    run = again.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": DEADLINE_S}).json()
    assert run["status"] == "completed"
    assert [e["kind"] for e in again.get(f"/v1/runs/{run_id}/entries").json()["entries"]].count("run_finished") == 1


def test_connections_end_while_their_calls_go_on(start_server: StartServer, tmp_path: Path) -> None:
    """Without Envoy: GOAWAY at once for callers that know other servers; one that comes back is told when to try again."""
    grace = {"MESHFLOW_SHUTDOWN_GRACE_S": str(GRACE_S), "MESHFLOW_MOCK_LATENCY_MS": "60000"}
    server = start_server(tmp_path, "--no-envoy", "--grpc-port", "0", **grace)
    address = server.url.split()[0]
    states: queue.Queue[grpc.ChannelConnectivity] = queue.Queue()
    with grpc.insecure_channel(address) as channel:
        channel.subscribe(states.put)
        under_way = RunServiceStub(channel).Run.future(RunRequest(task="x"))  # type: ignore[no-untyped-call]
        with Client(address) as client:
            wait_until(lambda: client.list_runs().runs)
        server.process.send_signal(signal.SIGTERM)
        while states.get(timeout=DEADLINE_S) is not grpc.ChannelConnectivity.READY:
            pass
        assert states.get(timeout=DEADLINE_S) is not grpc.ChannelConnectivity.READY
        assert not under_way.done()
        with Client(address) as client, pytest.raises(MeshflowCallError) as refused:
            client.run("late")
        assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "DRAINING")
        assert refused.value.retry_after_s
        server.process.send_signal(signal.SIGTERM)
        assert under_way.code() is grpc.StatusCode.UNAVAILABLE
    assert server.stop() == 0


@pytest.mark.postgres
def test_runs_are_handed_over_after_the_step_under_way(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """The paid step is finished, the next one is taken by another server at once; callers attach there by their request id."""
    environment = {
        "MESHFLOW_DATA_DIR": str(tmp_path),
        "MESHFLOW_LEDGER_DB": postgres.new_database(),
        "MESHFLOW_SHUTDOWN_GRACE_S": str(GRACE_S),
        "MESHFLOW_LEASE_S": "60",
        "MESHFLOW_DRAIN": "hand_over",
    }
    leaving, other = (start_server(tmp_path, **environment) for _ in range(2))
    request = {"task": "x", "request_id": "one", "workflow_yaml": TWO_STEPS}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(leaving.post, "/run", request)
        (run_id,) = listed(other, 1)
        begun = time.monotonic()
        assert leaving.stop() == 0
        assert time.monotonic() - begun < GRACE_S / 2
        told = waiting.result()
    assert (told.status_code, told.json()["details"][0]["reason"]) == (503, "DRAINING"), told.text
    assert "RetryInfo" in told.text
    attached: dict[str, Any] = other.post("/run", request).json()
    assert (attached["run_id"], attached["status"]) == (run_id, "completed")
    check_whole(other, run_id)
    kinds = [entry["kind"] for entry in entries(other, run_id)]
    # The researcher's step ended where it began; the writer's began elsewhere.
    assert kinds.index("run_resumed") > kinds.index("step_committed"), kinds
    _finishes_alone(other)


def _finishes_alone(server: MeshflowServer) -> None:
    """Without company a run is finished within the grace, as it would be by default."""
    run_id = server.post("/v1/runs", {"task": "x", "workflow_yaml": TWO_STEPS}).json()["run_id"]
    watching = httpx.stream("GET", f"{server.url}/v1/runs/{run_id}/events", timeout=DEADLINE_S)
    with watching as events, ThreadPoolExecutor(1) as pool:
        lines = events.iter_lines()
        assert "run_started" in next(line for line in lines if line.startswith("data: "))
        stopping = pool.submit(server.stop)
        assert '"status":"completed"' in [line for line in lines if line.startswith("data: ")][-1]
        assert stopping.result() == 0
