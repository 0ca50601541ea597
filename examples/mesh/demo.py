"""Three nodes on one machine: a run survives the death of the node that works for it, and the mesh says what happened.

Run it with ``make mesh-demo``, or ``python examples/mesh/demo.py``. Ends with 0 when everything went as it should.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
PATIENCE_S = 120.0
# An operator keeps the defaults (checks every 30 s, a breaker open for 60 s); a demonstration has less time.
SETTINGS = {
    "MESHFLOW_MOCK": "1",
    "MESHFLOW_LOG_FORMAT": "json",
    "MESHFLOW_METRICS_PORT": "0",
    "MESHFLOW_MESH_TTL_S": "10",
    "MESHFLOW_MESH_CHECK_INTERVAL_S": "1.5",
    "MESHFLOW_MESH_CHECK_TIMEOUT_S": "5",
    "MESHFLOW_MESH_BREAKER_FAILURES": "2",
    "MESHFLOW_MESH_BREAKER_OPEN_S": "4",
    "MESHFLOW_SHUTDOWN_GRACE_S": "1",
}
KINDS = (
    "node_registered",
    "node_unhealthy",
    "node_recovered",
    "failed_over",
    "breaker_opened",
    "breaker_half_open",
    "breaker_closed",
)


class DemoError(Exception):
    """Something did not go as it should; the message says what."""


@dataclass
class Node:
    """A meshflow server that is a node of the mesh: its name, its own ledger, and where it answers."""

    slug: str
    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    url: str = ""

    @property
    def ledger(self) -> str:
        """Its ledger, which nobody else writes."""
        return str(self.directory / f"{self.slug}.db")

    @property
    def log(self) -> Path:
        """What it says."""
        return self.directory / f"{self.slug}.log"

    def start(self) -> None:
        """Starts the server, in the background."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MESHFLOW_", "ANTHROPIC_"))}
        own = {
            "MESHFLOW_MESH_SLUG": self.slug,
            "MESHFLOW_MESH_REGISTRY": str(self.directory / "mesh.db"),
            "MESHFLOW_LEDGER_DB": self.ledger,
        }
        command = [sys.executable, "-m", "meshflow_grpc", "serve", "--host", "127.0.0.1", "--port", "0"]
        self.url = ""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env={**kept, **SETTINGS, **own, **self.settings}, stderr=log)

    def await_ready(self) -> None:
        """Waits until it serves."""
        serving = until(lambda: self.told("serving"), f"{self.slug} serves")
        self.url = serving[-1]["address"]

    def told(self, *events: str) -> list[dict[str, Any]]:
        """The lines of its log that tell of certain events."""
        if self.process is not None and self.process.poll() not in {None, 0, -signal.SIGKILL}:
            raise DemoError(f"{self.slug} ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}")
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] in events]

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def get(self, path: str) -> dict[str, Any]:
        """GETs JSON."""
        return answered(httpx.get(f"{self.url}{path}", timeout=PATIENCE_S, trust_env=False))

    def post(self, path: str, body: object) -> dict[str, Any]:
        """POSTs JSON."""
        return answered(httpx.post(f"{self.url}{path}", json=body, timeout=PATIENCE_S, trust_env=False))


def answered(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer that is none of an error."""
    if response.status_code != httpx.codes.OK:
        raise DemoError(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
    body: dict[str, Any] = response.json()
    return body


def until(condition: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - whatever the condition gives
    """Waits until something is so."""
    give_up = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > give_up:
            raise DemoError(f"not within {PATIENCE_S:g} s: {what}")
        time.sleep(0.05)
    return value


def say(title: str, *lines: str) -> None:
    """Prints a step of the demonstration."""
    text = "\n".join([f"\n== {title}", *(f"   {line}" for line in lines)])
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def meshflow(*arguments: str) -> None:
    """Runs a command of the command line, shows what it prints, and fails when it does."""
    sys.stdout.write(f"   $ meshflow {' '.join(arguments)}\n")
    done = subprocess.run(
        [sys.executable, "-m", "meshflow_grpc", *arguments], capture_output=True, text=True, check=False
    )
    sys.stdout.write("".join(f"   {line}\n" for line in done.stdout.splitlines()))
    sys.stdout.flush()
    if done.returncode != 0:
        raise DemoError(f"meshflow {arguments[0]} ended with {done.returncode}: {done.stderr}")


def status(node: Node) -> None:
    """The table of the mesh as a node sees it."""
    meshflow("mesh", "status", "--address", node.url.removeprefix("http://"))


def builder_of(caller: Node, run_id: str) -> str:
    """Who carried out the step `build` of a run, by the caller's ledger."""
    entries = caller.get(f"/v1/runs/{run_id}/entries")["entries"]
    (step,) = (each for each in entries if each["node_id"] == "build" and each["kind"] == "step_committed")
    slug: str = json.loads(step["record"])["facts"]["peer"]["slug"]
    return slug


def deliver(caller: Node, task: str, builder: str) -> None:
    """A whole run, which a certain node has to have built for."""
    run = caller.post("/run", {"task": task, "workflow": "deliver"})
    expect(caller, run, builder)


def expect(caller: Node, run: dict[str, Any], builder: str) -> None:
    """Says how a run went; fails unless it completed and the right node built."""
    if run["status"] != "completed":
        raise DemoError(f"the run is {run['status']}: {run.get('status_reason') or run.get('block_reason')}")
    found = builder_of(caller, run["run_id"])
    say(f"Run {run['run_id']}", f"{run['status']}; built by {found}")
    if found != builder:
        raise DemoError(f"{builder} was to build, not {found}")


def view(caller: Node, slug: str) -> tuple[str, str]:
    """Health and breaker of a node, as the caller sees them."""
    nodes = {node["slug"]: node for node in caller.get("/v1/mesh/nodes")["nodes"]}
    return (nodes[slug]["health"], nodes[slug]["breaker"]) if slug in nodes else ("unknown", "")


def demonstrate(build: Node, marco: Node, cortex: Node) -> None:
    """Three nodes, one killed in the middle of a run, and its return."""
    say("Three nodes start, each with a ledger of its own", "build.ai and marco.ai build; cortex.ai delivers")
    for node in (build, marco, cortex):
        node.start()
    for node in (build, marco, cortex):
        node.await_ready()
        text = (HERE / ("deliver.yaml" if node is cortex else "build.yaml")).read_text("utf-8")
        node.post("/v1/workflows", {"yaml": text})
    for slug in ("build.ai", "marco.ai"):
        until(lambda s=slug: view(cortex, s)[0] == "healthy", f"{slug} is healthy")
    status(cortex)

    say("A run begins at cortex.ai; build.ai is killed (kill -9) while it works for it")
    run_id = cortex.post("/v1/runs", {"task": "Build a bridge", "workflow": "deliver"})["run_id"]
    until(lambda: build.get("/v1/runs?status=running").get("runs"), "build.ai works")
    build.kill()
    expect(cortex, cortex.get(f"/v1/runs/{run_id}:wait?timeout_s=60"), "marco.ai")

    say("While build.ai is down: its circuit breaker opens, and the runs go on at marco.ai")
    for number in range(2):
        deliver(cortex, f"Build house {number}", "marco.ai")
    until(lambda: cortex.told("mesh_breaker_opened"), "the breaker of build.ai opens")
    status(cortex)
    until(lambda: view(cortex, "build.ai")[0] == "unhealthy", "the health checks see that build.ai is gone")

    say("build.ai starts again; one trial call closes its breaker")
    build.start()
    build.await_ready()
    until(lambda: view(cortex, "build.ai") == ("healthy", "half_open"), "build.ai is back")
    deliver(cortex, "Build a garden", "build.ai")
    if view(cortex, "build.ai") != ("healthy", "closed"):
        raise DemoError(f"build.ai is {view(cortex, 'build.ai')}")
    status(cortex)

    lines = cortex.told(*(f"mesh_{kind}" for kind in KINDS))
    say(
        "What cortex.ai told of it",
        *(f"{line['timestamp'][11:23]}  {line['event']:24} {line['slug']}" for line in lines),
    )

    say("Every ledger verifies")
    for node in (build, marco, cortex):
        node.stop()
        meshflow("ledger", "verify", "--db", node.ledger)


def main() -> int:
    """Runs the demonstration; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="meshflow-mesh-") as name, ExitStack() as stack:
        directory = Path(name)
        # build.ai takes its time, so that it can be killed in the middle of its work.
        build = Node("build.ai", directory, {"MESHFLOW_MOCK_LATENCY_MS": "3000", "MESHFLOW_MESH_CONCERNS": "build:10"})
        marco = Node("marco.ai", directory, {"MESHFLOW_MESH_CONCERNS": "build:5"})
        cortex = Node("cortex.ai", directory, {"MESHFLOW_MESH_CONCERNS": "deliver"})
        for node in (build, marco, cortex):
            stack.callback(node.stop)
        try:
            demonstrate(build, marco, cortex)
        except (DemoError, httpx.HTTPError) as error:
            sys.stderr.write(f"mesh-demo failed: {error}\n")
            return 1
    say("Done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
