"""The server is killed in mid-stream and started again: each client's watch and its streamed run go on, no event lost or twice."""

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
YAML = """
name: long
entry: begin
nodes:
  begin: {kind: tool, tool: hold, arguments: {pipe: BEGIN}}
  n0: {mock: {output: out 0}}
  n1: {mock: {output: out 1}}
  end: {kind: tool, tool: hold, arguments: {pipe: END}}
  n2: {mock: {output: out 2}}
edges:
  - begin -> n0
  - n0 -> n1
  - n1 -> end
  - end -> n2
"""
OUTPUTS = ["begun", "out 0", "out 1", "ended", "out 2"]
SEEN_BEFORE = 4
APPLICATION = {"MESHFLOW_APP": "tests.contract.application:registry"}
Events = list[dict[str, Any]]
Follow = Callable[[Callable[[Any], None]], Events]


class Held:
    """A run that goes on when it is told to, once at its begin and once after two steps."""

    def __init__(self, folder: Path) -> None:
        self._pipes = {"BEGIN": folder / "begin", "END": folder / "end"}
        yaml = YAML
        folder.mkdir()
        for name, pipe in self._pipes.items():
            os.mkfifo(pipe)
            yaml = yaml.replace(name, str(pipe))
        self.request = {"task": "x", "workflow_yaml": yaml}

    def begin(self) -> None:
        """Lets it do two steps, once it has begun."""
        self._pipes["BEGIN"].write_text("begun")

    def end(self) -> None:
        """Lets it come to its end, once it is there."""
        self._pipes["END"].write_text("ended")


def command_line(address: str, run_id: str) -> Follow:
    """``meshflow run watch``."""

    def watch(on_event: Callable[[Any], None]) -> Events:
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


def through(face: PythonFace | DriverFace, call: str, **args: Any) -> Follow:
    """A client's watch or streamed run."""

    def follow(on_event: Callable[[Any], None]) -> Events:
        answer = face.call(call, args, None, on_event)
        assert answer.error is None, (face.name, answer.error)
        return answer.events

    return follow


def drivers(address: str, built: dict[str, str]) -> list[DriverFace]:
    """A driver of every client and transport that can be had."""
    return [DriverFace(name, DRIVERS[name][0], address, *DRIVERS[name][1]) for name in DRIVERS if name not in built]


def ready(follow: Follow, *stops: threading.Barrier) -> Callable[[], Events]:
    """Follows; waits for the others at the first event and where the runs are held."""

    def followed() -> Events:
        seen = 0

        def on_event(_: Any) -> None:
            nonlocal seen
            seen += 1
            if seen in (1, SEEN_BEFORE):
                stops[seen > 1].wait()

        return follow(on_event)

    return followed


@pytest.mark.slow
def test_no_event_is_lost_or_doubled(start_server: StartServer, built: dict[str, str], tmp_path: Path) -> None:
    """kill -9 when every watch and stream has seen two steps; the runs and all who follow them come to the same end."""
    if os.environ.get("CI") == "true" and built:
        pytest.fail(f"CI must test every client; missing: {built}")
    port = free_port()
    server = start_server(tmp_path, "--port", str(port), **APPLICATION)
    watching: list[PythonFace | DriverFace] = [PythonFace(server.url), *drivers(server.url, built)]
    if "node" not in built:
        watching.append(DriverFace("watchSse", "typescript", server.url, "sse"))
    # A driver has one call under way at a time.
    streaming: list[PythonFace | DriverFace] = [PythonFace(server.url), *drivers(server.url, built)]
    watched, *streamed = runs = [Held(tmp_path / f"run {number}") for number in range(1 + len(streaming))]
    run_id = watching[0].call("create_run", {"request": watched.request}, None).result["run_id"]
    following = {f"{face.name} watches": through(face, "watch_run", run_id=run_id) for face in watching}
    following["cli watches"] = command_line(server.url, run_id)
    for face, run in zip(streaming, streamed, strict=True):
        following[f"{face.name} streams"] = through(face, "stream_run", request=run.request)
    stops = [threading.Barrier(len(following) + 1, timeout=BUILD_TIMEOUT_S) for _ in range(2)]

    with ThreadPoolExecutor(len(following)) as pool:
        futures = {name: pool.submit(ready(follow, *stops)) for name, follow in following.items()}
        stops[0].wait()
        for run in runs:
            run.begin()
        stops[1].wait()
        server.kill()
        restarted = start_server(tmp_path, "--port", str(port), **APPLICATION)
        for run in runs:
            run.end()
        found = {name: future.result() for name, future in futures.items()}

    (serving,) = [line for line in restarted.log if line["event"] == "serving"]
    assert serving["resumed_runs"] == len(runs)
    for name, events in found.items():
        whole = watching[0].call("watch_run", {"run_id": events[0]["run_id"]}, None).events
        kinds = ["run_started", *["agent_completed"] * len(OUTPUTS), "run_completed"]
        assert [event["event_type"] for event in whole] == kinds, name
        assert [event["output"] for event in whole[1:-1]] == OUTPUTS, name
        assert [event["sequence"] for event in events] == [event["sequence"] for event in whole], name
        assert restarted.get(f"/v1/runs/{events[0]['run_id']}:verify").json()["valid"], name
    for face in (*watching, *streaming):
        face.close()
