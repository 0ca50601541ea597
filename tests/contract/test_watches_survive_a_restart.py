"""The server is killed in mid-stream and started again: each client's watch goes on, with no event lost and none twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import BUILD_TIMEOUT_S, DRIVERS
from tests.contract.faces import DriverFace
from tests.contract.python_face import PythonFace
from tests.e2e.conftest import StartServer
from tests.free_ports import free_port

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S + 120)
STEPS = 8
NODES = "\n".join(f"  n{number}: {{mock: {{latency_ms: 500, output: out {number}}}}}" for number in range(STEPS))
EDGES = "\n".join(f"  - n{number} -> n{number + 1}" for number in range(STEPS - 1))
YAML = f"""
name: long
entry: hold
nodes:
  hold: {{kind: tool, tool: hold, arguments: {{pipe: PIPE}}}}
{NODES}
edges:
  - hold -> n0
{EDGES}
"""
APPLICATION = {"MESHFLOW_APP": "tests.contract.application:registry"}
Events = list[dict[str, Any]]
Watch = Callable[[str, Callable[[Any], None]], Events]


def command_line(address: str) -> Watch:
    """``meshflow run watch``."""

    def watch(run_id: str, on_event: Callable[[Any], None]) -> Events:
        command = [sys.executable, "-m", "meshflow_grpc", "run", "watch", run_id, "--address", address, "-o", "jsonl"]
        events = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
            assert process.stdout is not None
            for line in process.stdout:
                events.append(json.loads(line))
                on_event(events[-1])
        assert process.returncode == 0
        return events

    return watch


def through(face: PythonFace | DriverFace) -> Watch:
    """A client's watch."""

    def watch(run_id: str, on_event: Callable[[Any], None]) -> Events:
        answer = face.call("watch_run", {"run_id": run_id}, None, on_event)
        assert answer.error is None, (face.name, answer.error)
        return answer.events

    return watch


@pytest.mark.slow
def test_no_event_is_lost_or_doubled(start_server: StartServer, built: dict[str, str], tmp_path: Path) -> None:
    """kill -9 when every watch has seen three steps; the run and all the watches come to the same end."""
    if os.environ.get("CI") == "true" and built:
        pytest.fail(f"CI must test every client; missing: {built}")
    port = free_port()
    server = start_server(tmp_path, "--port", str(port), **APPLICATION)
    drivers = [
        DriverFace(name, *[DRIVERS[name][0], server.url, *DRIVERS[name][1]]) for name in DRIVERS if name not in built
    ]
    if "node" not in built:
        drivers.append(DriverFace("watchSse", "typescript", server.url, "sse"))
    python = PythonFace(server.url)
    watches = {"cli": command_line(server.url), "python": through(python)}
    watches |= {driver.name: through(driver) for driver in drivers}

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    request = {"task": "x", "workflow_yaml": YAML.replace("PIPE", str(pipe))}
    run_id = python.call("create_run", {"request": request}, None).result["run_id"]
    attached, on_the_way = (threading.Barrier(len(watches) + 1, timeout=100) for _ in range(2))

    def follow(watch: Watch) -> Events:
        seen = 0

        def on_event(_: Any) -> None:
            nonlocal seen
            seen += 1
            if seen in (1, 4):
                (attached if seen == 1 else on_the_way).wait()

        return watch(run_id, on_event)

    with ThreadPoolExecutor(len(watches)) as pool:
        followed = {name: pool.submit(follow, watch) for name, watch in watches.items()}
        attached.wait()
        pipe.write_text("released")
        on_the_way.wait()
        server.kill()
        restarted = start_server(tmp_path, "--port", str(port), **APPLICATION)
        found = {name: future.result() for name, future in followed.items()}

    (serving,) = [line for line in restarted.log if line["event"] == "serving"]
    assert serving["resumed_runs"] == 1, "the run had ended before the server was killed"
    kept = python.call("watch_run", {"run_id": run_id}, None).events
    assert [event["event_type"] for event in kept] == [
        "run_started",
        *["agent_completed"] * (STEPS + 1),
        "run_completed",
    ]
    assert [event["output"] for event in kept[2:-1]] == [f"out {number}" for number in range(STEPS)]
    for name, events in found.items():
        assert [event["sequence"] for event in events] == [event["sequence"] for event in kept], name
    assert restarted.get(f"/v1/runs/{run_id}:verify").json()["valid"]
    for face in (python, *drivers):
        face.close()
