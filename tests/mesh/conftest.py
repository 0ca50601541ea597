"""Three real servers that are nodes of one mesh: build.ai and marco.ai do the work, cortex.ai hands it to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import start_server
from tests.mesh.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer

__all__ = ["start_server"]

PATIENCE_S = 60.0
# The mesh's bounds, short enough to see all of it within seconds.
FAST = {
    "MESHFLOW_APP": "tests.mesh.effects:registry",
    # More than three checks that time out: a node that answers none is seen as unhealthy before it counts as gone.
    "MESHFLOW_MESH_TTL_S": "12",
    "MESHFLOW_MESH_CHECK_INTERVAL_S": "0.3",
    "MESHFLOW_MESH_CHECK_TIMEOUT_S": "2",
    "MESHFLOW_MESH_CHECK_FAILURES": "3",
    "MESHFLOW_MESH_BREAKER_FAILURES": "3",
    "MESHFLOW_MESH_BREAKER_OPEN_S": "5",
    "MESHFLOW_SHUTDOWN_GRACE_S": "1",
}
WORK = """
name: %(name)s
entry: act
nodes:
  act: {kind: tool, tool: %(name)s, risk: %(risk)s, arguments: {key: "${task}"}}
"""
HANDOFF = """
name: handoff-%(name)s
entry: plan
nodes:
  plan: {role: PLANNER}
  hand: {kind: grpc, peer: build.ai, failover: [marco.ai], workflow: %(name)s, task: "${task}", risk: %(risk)s}
  tell: {role: WRITER}
edges: [plan -> hand, hand -> tell]
"""
RISKS = {"note": "internal", "pay": "irreversible"}
TRIAL = """
name: handoff-%(peer)s
entry: hand
nodes:
  hand: {kind: grpc, peer: %(peer)s, workflow: note, task: "${task}"}
"""


def until(condition: Callable[[], Any], what: str = "", patience_s: float = PATIENCE_S) -> Any:
    """Waits for a condition and returns its value; fails with what was waited for."""
    give_up = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < give_up, what or condition
        time.sleep(0.02)
    return value


@dataclass
class Node:
    """A node: its server, and the wire its peers reach it by."""

    slug: str
    directory: Path
    start: StartServer
    environment: dict[str, str]
    wire: TcpProxy = field(default_factory=TcpProxy)
    started: MeshflowServer | None = None

    @property
    def server(self) -> MeshflowServer:
        """Its process, once it was started."""
        assert self.started is not None
        return self.started

    def up(self) -> None:
        """Starts the server; a second time on the same ledger."""
        self.directory.mkdir(exist_ok=True)
        self.started = self.start(
            self.directory, **self.environment, MESHFLOW_MESH_SLUG=self.slug, MESHFLOW_MESH_ENDPOINT=self.wire.address
        )
        self.wire.upstream = urlsplit(self.server.url).port or 0

    def revive(self) -> None:
        """Starts it again if it is dead, and lets it go on if it is frozen."""
        if self.server.process.poll() is None:
            self.thaw()
        else:
            self.up()

    def freeze(self) -> None:
        """SIGSTOP of the server and of the Envoy it started."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def _processes(self) -> list[int]:
        own = self.server.process.pid
        children = subprocess.run(["pgrep", "-P", str(own)], capture_output=True, text=True).stdout.split()
        return [own, *map(int, children)]

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The mesh as this node sees it, by slug."""
        return {each["slug"]: each for each in self.server.get("/v1/mesh/nodes").json()["nodes"]}

    def sees(self, slug: str) -> tuple[str, str]:
        """Health and breaker of a peer."""
        view = self.nodes().get(slug, {"health": "absent", "breaker": "absent"})
        return view["health"], view["breaker"]

    def changes(self, slug: str) -> list[str]:
        """What this node told of a peer in its log, in order."""
        return [
            line["event"].removeprefix("mesh_")
            for line in self.server.log
            if line["event"].startswith("mesh_") and line.get("slug") == slug
        ]

    def metric(self, name: str, **labels: str) -> float:
        """A value of the metrics; 0 when it is not there."""
        address = next(line["address"] for line in self.server.log if line["event"] == "serving_metrics")
        for line in httpx.get(address, timeout=60).text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == name and all(f'{key}="{text}"' in series for key, text in labels.items()):
                return float(value)
        return 0.0

    def put_workflows(self) -> None:
        """Registers what the node does: cortex.ai hands work on, the others do it."""
        texts = [WORK % {"name": name, "risk": risk} for name, risk in RISKS.items()]
        if self.slug == "cortex.ai":
            texts = [HANDOFF % {"name": name, "risk": risk} for name, risk in RISKS.items()]
            texts += [TRIAL % {"peer": peer} for peer in ("build.ai", "marco.ai")]
        for text in texts:
            answer = self.server.post("/v1/workflows", {"yaml": text})
            assert answer.status_code == 200, answer.text

    def vkey(self) -> str:
        """The key that the heads of its log are signed with."""
        found: str = next(line["keys"][0] for line in self.server.log if line["event"] == "log_opened")
        return found

    def run(self, task: str, workflow: str, **more: Any) -> dict[str, Any]:
        """Runs and waits."""
        answer = self.server.post("/run", {"task": task, "workflow": workflow, **more})
        found: dict[str, Any] = answer.json()
        assert answer.status_code == 200, found
        return found

    def approved(self, run: dict[str, Any]) -> dict[str, Any]:
        """A run that waits for a human, who says yes, once it has ended or waits again."""
        approval = run["pending_approval"]["approval_id"]
        answer = self.server.post(f"/v1/approvals/{approval}:decide", {"decision": "approve", "comment": "found out"})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = self.server.get(f"/v1/runs/{run['run_id']}:wait").json()
        return found

    def verify(self) -> None:
        """The whole ledger verifies, offline."""
        command = [sys.executable, "-m", "meshflow_grpc", "ledger", "verify", "--db", str(self.server.ledger)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Mesh:
    """The three, and the file in which every effect is a line."""

    build: Node
    marco: Node
    cortex: Node
    effects_file: Path

    def effects(self, key: str) -> list[str]:
        """What happened for a task, where: ``begun build.ai``."""
        lines = self.effects_file.read_text().splitlines() if self.effects_file.exists() else []
        words = [line.split() for line in lines]
        return [f"{what} {slug}" for what, found, slug, _ in words if found == key]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All three."""
        return self.build, self.marco, self.cortex

    def settle(self) -> None:
        """Mends what is broken, and waits until every node sees the others healthy, with closed breakers."""
        for node in self.nodes:
            node.wire.pass_on()
            node.revive()
        for one in self.nodes:
            for other in self.nodes:
                if one is not other:
                    until(lambda o=one, p=other: o.sees(p.slug)[0] == "healthy", f"{one.slug} {other.slug}")
        for peer in (self.build, self.marco):
            until(lambda p=peer: self.closed(p), f"the breaker of {peer.slug} is closed")

    def closed(self, peer: Node) -> bool:
        """Whether cortex.ai would ask the peer; it is given a trial when the breaker lets one through."""
        health, breaker = self.cortex.sees(peer.slug)
        if breaker == "half_open":
            self.cortex.run("trial", f"handoff-{peer.slug}")
        return (health, breaker) == ("healthy", "closed")

    def verify(self) -> None:
        """Every ledger verifies, whole."""
        for node in self.nodes:
            node.verify()


@pytest.fixture(scope="module")
def three_nodes(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Three nodes that know each other, each with its workflows; in the end every ledger verifies."""
    directory = tmp_path_factory.mktemp("mesh")
    effects = directory / "effects"
    common = {**FAST, "MESHFLOW_MESH_REGISTRY": str(directory / "registry.db"), "EFFECTS_FILE": str(effects)}
    made = [Node(slug, directory / slug, start_server, common) for slug in ("build.ai", "marco.ai", "cortex.ai")]
    try:
        with ThreadPoolExecutor(len(made)) as pool:
            list(pool.map(Node.up, made))
        for node in made:
            node.put_workflows()
        mesh = Mesh(*made, effects)
        mesh.settle()
        for peer in (mesh.build, mesh.marco):
            # The first call takes longer than those the tests are about: what it needs is loaded by it.
            until(lambda p=peer: mesh.cortex.run("warm", f"handoff-{p.slug}")["status"] == "completed", peer.slug)
        yield mesh
        mesh.verify()
    finally:
        for node in made:
            if node.started is not None and node.server.process.poll() is None:
                node.thaw()
                node.server.kill()
            node.wire.close()


@pytest.fixture
def mesh(three_nodes: Mesh) -> Mesh:
    """The three, all well."""
    three_nodes.settle()
    return three_nodes
