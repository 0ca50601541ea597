"""`meshflow serve --workers N` on a real PostgreSQL: one public port, several processes, killed and stopped under load."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.client import Client
from tests.e2e.test_several_servers_on_one_ledger import check_whole, created, ended

if TYPE_CHECKING:
    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
WORKERS = 2
CALLS = 16
DEADLINE_S = 60.0


def start(
    start_server: StartServer, postgres: PostgresCluster, directory: Path, *options: str, **more: str
) -> MeshflowServer:
    """A server with workers."""
    environment = {
        "MESHFLOW_DATA_DIR": str(directory),
        "MESHFLOW_LEDGER_DB": postgres.new_database(),
        "MESHFLOW_LEASE_S": "2",
        "MESHFLOW_PG_POOL_MAX": "3",
        **more,
    }
    return start_server(directory, "--workers", str(WORKERS), *options, **environment)


def pids(server: MeshflowServer) -> dict[int, int]:
    """The newest process of each worker."""
    return {line["worker"]: line["pid"] for line in list(server.log) if line["event"] == "worker_started"}


def logged(server: MeshflowServer, event: str) -> list[dict[str, Any]]:
    """The log's lines of an event."""
    return [line for line in list(server.log) if line["event"] == event]


def run_calls(server: MeshflowServer) -> list[dict[str, Any]]:
    """The log's lines of calls that ran something."""
    return [line for line in logged(server, "rpc") if "/Run" in line["method"]]


def is_alive(pid: int) -> bool:
    """Whether a process still runs; one that waits to be reaped does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(true: Any, what: str) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_a_killed_worker_is_replaced_and_its_runs_go_on(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """kill -9 of one under load: every accepted run completes once, callers are served meanwhile, SIGTERM ends all with 0."""
    server = start(start_server, postgres, tmp_path, MESHFLOW_MOCK_LATENCY_MS="700")
    first = pids(server)
    assert sorted(first) == [0, 1]
    ports = {line["address"] for line in logged(server, "serving_metrics")}
    assert len(ports) == WORKERS
    kept: list[str] = []

    def both_have_some() -> bool:
        """Envoy gives a worker calls once it has seen that it is ready."""
        kept.extend(created(server, 4))
        takers = [line["worker"] for line in logged(server, "rpc") if "CreateRun" in line["method"]]
        return min(takers.count(worker) for worker in range(WORKERS)) >= 3

    wait_until(both_have_some, "a worker got no calls")

    stop, statuses = threading.Event(), []

    def call() -> None:
        """Callers that come and go while the worker dies."""
        with Client(server.url) as client:
            while not stop.is_set():
                statuses.append(client.run("load").status)

    with ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(call) for _ in range(3)]
        os.kill(first[1], signal.SIGKILL)
        runs = ended(server, kept)
        wait_until(
            lambda: [line["worker"] for line in logged(server, "worker_serving")].count(1) == 2,
            "the worker was not started again",
        )
        stop.set()
        for caller in callers:
            caller.result()
    assert [run["status"] for run in runs] == ["completed"] * len(runs)
    for run_id in kept:
        check_whole(server, run_id)
    assert set(statuses) == {"completed"}
    (died,) = logged(server, "worker_ended")
    assert (died["worker"], died["reason"], died["restart_in_s"]) == (1, "ended with status -9", 0.5)
    assert server.get("/readyz").status_code == 200

    everyone = set(pids(server).values())
    assert server.stop() == 0
    assert not [pid for pid in everyone if is_alive(pid)]
    assert {line["worker"] for line in logged(server, "stopped") if "worker" in line} == {0, 1}


def test_workers_share_the_grpc_port_without_envoy(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """Connections are spread over them by the kernel, and leave one that stops; another server cannot listen there unnoticed."""
    server = start(start_server, postgres, tmp_path, "--no-envoy", "--grpc-port", "0")
    address = server.url.split()[0]
    for _ in range(CALLS):
        with Client(address) as client:
            assert client.run("x").status == "completed"
    wait_until(lambda: len(run_calls(server)) == CALLS, "a call was not logged")
    assert len({line["worker"] for line in run_calls(server)}) > 1
    with Client(address) as client:
        before = len(run_calls(server))
        client.run("x")
        wait_until(lambda: len(run_calls(server)) > before, "the call was not logged")
        served_by = run_calls(server)[-1]["worker"]
        os.kill(pids(server)[served_by], signal.SIGTERM)
        while not [line for line in logged(server, "stopped") if line.get("worker") == served_by]:
            assert client.run("x").status == "completed"
        assert client.run("x").status == "completed"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHFLOW_")}
    environment |= {"MESHFLOW_MOCK": "1", "MESHFLOW_LEDGER_DB": postgres.new_database(), "MESHFLOW_METRICS_PORT": "0"}
    environment |= {"MESHFLOW_DATA_DIR": str(tmp_path)}
    options = ["--workers", "2", "--no-envoy", "--grpc-port", address.rpartition(":")[2]]
    command = [sys.executable, "-m", "meshflow_grpc", "serve", *options]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert second.returncode == 5
    assert "already in use" in second.stderr

    # kill -9 of the supervisor itself: nobody is left behind.
    everyone = set(pids(server).values())
    server.kill()
    wait_until(lambda: not [pid for pid in everyone if is_alive(pid)], "a worker outlived its supervisor")
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", int(address.rpartition(":")[2])))


def test_a_worker_that_cannot_start_ends_the_server(postgres: PostgresCluster, tmp_path: Path) -> None:
    """At the first start there is nothing to keep up: the exit code is 1, and the worker's own words say why."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHFLOW_")}
    environment |= {"MESHFLOW_MOCK": "1", "MESHFLOW_METRICS_PORT": "0", "MESHFLOW_DATA_DIR": str(tmp_path)}
    environment |= {"MESHFLOW_LEDGER_DB": f"postgresql://postgres@127.0.0.1:{postgres.port}/nowhere"}
    command = [sys.executable, "-m", "meshflow_grpc", "serve", "--port", "0", "--workers", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "worker 0: the ledger cannot be used" in done.stderr or "worker 1: the ledger cannot be used" in done.stderr
    assert "before it was ready" in done.stderr


def test_workers_on_a_sqlite_file_are_refused(tmp_path: Path) -> None:
    """With the reason; so is a port that workers behind Envoy would not use."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHFLOW_")}
    environment |= {"MESHFLOW_MOCK": "1", "MESHFLOW_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "meshflow_grpc", "serve", "--workers", "2", "--grpc-port", "7000"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "one process alone may write" in done.stderr
    assert "MESHFLOW_GRPC_PORT" in done.stderr
    shown = json.loads(
        subprocess.run(
            [sys.executable, "-m", "meshflow_grpc", "config", "show", "-o", "json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
    )
    assert shown["MESHFLOW_WORKERS"] == 1
