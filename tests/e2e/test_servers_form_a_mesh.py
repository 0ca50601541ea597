"""Two real servers, Envoy included, in one registry: they find each other, and every face shows the same."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer

FAST = {
    "MESHFLOW_MESH_TTL_S": "6",
    "MESHFLOW_MESH_CHECK_INTERVAL_S": "0.2",
    "MESHFLOW_MESH_CHECK_TIMEOUT_S": "5",
}


def until(true: Callable[[], Any], what: str) -> Any:
    """Waits for something; fails after a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"never: {what}")


def node(server: MeshflowServer, slug: str) -> dict[str, Any]:
    """A node as a server sees it; empty when it does not know it."""
    nodes = server.get("/v1/mesh/nodes").json()["nodes"]
    return next((each for each in nodes if each["slug"] == slug), {})


def meshflow(server: MeshflowServer, *arguments: str) -> str:
    """What a mesh command prints."""
    command = [sys.executable, "-m", "meshflow_grpc", "mesh", *arguments, "--address", server.url]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MESHFLOW_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=kept)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that the nodes share."""
    return tmp_path_factory.mktemp("mesh") / "nodes.db"


@pytest.fixture(scope="module")
def build(start_server: StartServer, registry: Path) -> MeshflowServer:
    """The first node."""
    own = {"MESHFLOW_MESH_SLUG": "build.ai", "MESHFLOW_MESH_CONCERNS": "build:10,review"}
    return start_server(None, MESHFLOW_MESH_REGISTRY=str(registry), **own, **FAST)


@pytest.fixture(scope="module")
def marco(start_server: StartServer, registry: Path, build: MeshflowServer) -> MeshflowServer:
    """The second one, known to the first as well."""
    own = {"MESHFLOW_MESH_SLUG": "marco.ai", "MESHFLOW_MESH_CONCERNS": "build:5"}
    server = start_server(None, MESHFLOW_MESH_REGISTRY=str(registry), **own, **FAST)
    until(lambda: node(build, "marco.ai").get("health") == "healthy", "marco.ai is healthy")
    until(lambda: node(server, "build.ai").get("health") == "healthy", "build.ai is healthy")
    return server


def test_rest_shows_the_nodes(build: MeshflowServer, marco: MeshflowServer) -> None:
    """All of them, one by name, and whom a concern goes to."""
    shown = node(build, "marco.ai")
    assert shown["endpoints"] == [marco.url.removeprefix("http://")]
    assert shown["concerns"] == [{"name": "build", "priority": 5}]
    assert (shown["live"], shown["breaker"], shown["tenant_id"]) == (True, "closed", "")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", shown["node_id"])

    (named,) = build.get("/v1/mesh/nodes/marco.ai").json()["nodes"]
    assert named["node_id"] == shown["node_id"]
    resolved = build.get("/v1/mesh:resolve", params={"concern": "build"}).json()["nodes"]
    assert [each["slug"] for each in resolved] == ["build.ai", "marco.ai"]
    failover = {"slug": "marco.ai", "failover": ["build.ai"]}
    resolved = build.get("/v1/mesh:resolve", params=failover).json()["nodes"]
    assert [each["slug"] for each in resolved] == ["marco.ai", "build.ai"]


def test_what_cannot_be_resolved_is_said(build: MeshflowServer) -> None:
    """A name nobody has, and a question that asks nothing."""
    missing = build.get("/v1/mesh/nodes/nobody.ai")
    assert (missing.status_code, missing.json()["details"][0]["reason"]) == (404, "NODE_NOT_FOUND")
    nothing = build.get("/v1/mesh:resolve")
    assert (nothing.status_code, nothing.json()["details"][0]["reason"]) == (400, "INVALID_REQUEST")


def test_the_commands_show_the_same(build: MeshflowServer, marco: MeshflowServer) -> None:
    """As JSON, as a table, look after look, and change after change."""
    status = {each["slug"]: each for each in json.loads(meshflow(build, "status", "-o", "json"))}
    assert status["marco.ai"]["health"] == "healthy"
    assert status["marco.ai"]["endpoints"] == [marco.url.removeprefix("http://")]

    table = meshflow(build, "status")
    assert re.search(r"marco\.ai\s+live\s+healthy\s+closed\s+0 ", table), table
    looks = meshflow(build, "top", "--count", "2", "--interval", "0.1")
    assert looks.count("marco.ai") == 2
    assert "CALLS/S" in looks
    lines = [
        json.loads(line)
        for line in meshflow(build, "top", "--count", "2", "--interval", "0.1", "-o", "jsonl").splitlines()
    ]
    assert [max(each["slug"] for each in line["nodes"]) for line in lines] == ["marco.ai", "marco.ai"]

    watched = [json.loads(line) for line in meshflow(build, "watch", "--limit", "2", "-o", "jsonl").splitlines()]
    assert [(each["sequence"], each["kind"], each["slug"]) for each in watched] == [
        (1, "node_registered", "build.ai"),
        (2, "node_registered", "marco.ai"),
    ]
    (line,) = meshflow(build, "watch", "--after", "1", "--limit", "1").splitlines()
    assert re.fullmatch(r" +2  \d\d:\d\d:\d\d  node_registered   marco\.ai +at 127\.0\.0\.1:\d+", line)


def test_top_is_live_on_a_terminal_and_ends_on_ctrl_c(build: MeshflowServer, marco: MeshflowServer) -> None:
    """The terminal is left as it was."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "meshflow_grpc", "mesh", "top", "--interval", "0.1", "--address", build.url]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "LINES": "50"}
    process = subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environment)
    os.close(follower)
    shown = ""
    while "Ctrl-C ends" not in shown:
        shown += os.read(leader, 65536).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    while process.poll() is None or "\x1b[?1049l" not in shown:
        try:
            shown += os.read(leader, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            break
    assert process.wait(timeout=60) == 130
    assert "marco.ai" in shown
    assert shown.index("\x1b[?1049h") < shown.index("\x1b[?1049l")


def test_the_metrics_agree(build: MeshflowServer, marco: MeshflowServer) -> None:
    """Each node is a series of its own."""
    served = next(each["address"] for each in build.log if each["event"] == "serving_metrics")
    metrics = httpx.get(served, timeout=60).text

    assert 'meshflow_mesh_node_live{peer="marco.ai"} 1.0' in metrics
    assert 'meshflow_mesh_node_healthy{peer="marco.ai"} 1.0' in metrics
    assert 'meshflow_mesh_breaker_state{peer="marco.ai"} 0.0' in metrics
    registered = re.search(r'meshflow_mesh_changes_total\{kind="node_registered"\} (\d+)', metrics)
    assert registered is not None
    assert int(registered[1]) >= 2


def test_the_events_of_a_node_that_dies_are_streamed(
    start_server: StartServer, registry: Path, build: MeshflowServer
) -> None:
    """Server-Sent Events, resumed after the last one seen: kill -9 is unhealthy, then gone; a restart is known by its name."""
    own = {"MESHFLOW_MESH_SLUG": "cortex.ai", "MESHFLOW_MESH_REGISTRY": str(registry), **FAST}
    cortex = start_server(None, **own)
    until(lambda: node(build, "cortex.ai").get("health") == "healthy", "cortex.ai is healthy")
    known = node(build, "cortex.ai")["node_id"]
    cortex.kill()
    kinds: list[str] = []
    numbers: list[int] = []
    with httpx.stream("GET", f"{build.url}/v1/mesh/events", timeout=60) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        for line in events.iter_lines():
            if line.startswith("data: "):
                change = json.loads(line.removeprefix("data: "))
                numbers.append(change["sequence"])
                kinds += [change["kind"]] if change["slug"] == "cortex.ai" else []
            if kinds[-1:] == ["node_expired"]:
                break
    assert (kinds[0], kinds[-1]) == ("node_registered", "node_expired")
    assert "node_unhealthy" in kinds
    assert numbers == list(range(1, len(numbers) + 1))

    back = start_server(None, **own)
    until(lambda: node(build, "cortex.ai").get("health") == "healthy", "cortex.ai is back")
    assert node(build, "cortex.ai")["node_id"] == known
    resumed = {"last-event-id": str(numbers[-1])}
    with httpx.stream("GET", f"{build.url}/v1/mesh/events", headers=resumed, timeout=60) as events:
        first = next(line for line in events.iter_lines() if line.startswith("id: "))
    assert first == f"id: {numbers[-1] + 1}"
    assert back.stop() == 0
    until(lambda: not node(build, "cortex.ai"), "cortex.ai left")


def test_a_server_that_is_no_node_says_so(start_server: StartServer) -> None:
    """Over REST and on the command line."""
    alone = start_server()
    refused = alone.get("/v1/mesh/nodes")
    assert (refused.status_code, refused.json()["details"][0]["reason"]) == (400, "MESH_NOT_CONFIGURED")
    command = [sys.executable, "-m", "meshflow_grpc", "mesh", "status", "--address", alone.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "MESHFLOW_MESH_SLUG" in done.stderr
