"""The production pipeline, governed end to end: `MESHFLOW_MOCK=1 python3 hands_on/16_production_pipeline.py [--stream | --reject]`.

Standard mode approves the publication and maps every node; `--stream` prints each event as it happens; `--reject` checks a broken
configuration before anything runs, and, once it is fixed, has the reviewer reject the publication.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"
PIPELINE = ROOT / "meshflow_grpc" / "workflows" / "production_pipeline.yaml"
TASK = "Assess renewable energy storage for a regional grid."

# Written anew by each run, unless MESHFLOW_LEDGER_DB names another ledger, which is kept.
LEDGER = ROOT / "hands_on" / "production.db"
# How long the offline model takes for an answer, so that the two analysts can be seen side by side.
MOCK_LATENCY_MS = "150"
# What --reject is about: this publisher has no role, and the rule every-agent-has-a-role denies it. The fix is "ORCHESTRATOR".
PUBLISHER_ROLE_IN_REJECT_MODE = ""


def use_the_projects_python() -> None:
    """Any python3 will do to start this: the packages are in the virtual environment that `make setup` makes."""
    if Path(sys.prefix) == ROOT / ".venv":
        return
    if not VENV_PYTHON.exists():
        subprocess.run(["make", "-C", str(ROOT), "setup"], check=True)  # noqa: S603, S607 - the project's own target
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])  # noqa: S606 - the same program again


def say(text: str = "") -> None:
    """One line for the reader."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def title(text: str) -> None:
    """The head of a section."""
    say(f"\n{text}\n" + "-" * 72)


class Server:
    """`meshflow serve` as a child of this script."""

    def __init__(self) -> None:
        self.ledger = os.environ.get("MESHFLOW_LEDGER_DB") or str(LEDGER)
        if self.ledger == str(LEDGER):
            for ending in ("", "-wal", "-shm"):
                Path(f"{LEDGER}{ending}").unlink(missing_ok=True)
        given = {"MESHFLOW_LEDGER_DB": self.ledger, "MESHFLOW_LOG_FORMAT": "json"}
        environment = {"MESHFLOW_MOCK_LATENCY_MS": MOCK_LATENCY_MS, **os.environ, **given}
        if not environment.get("ANTHROPIC_API_KEY"):
            environment["MESHFLOW_MOCK"] = "1"
        command = [sys.executable, "-m", "meshflow_grpc", "serve", "--no-envoy", "--grpc-port", "0"]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603
        self.address = f"127.0.0.1:{self._port()}"

    def _port(self) -> int:
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if '"event": "serving"' in line:
                return int(json.loads(line)["grpc_port"])
        sys.exit("the server did not start:\n" + "".join(lines))

    def stop(self) -> None:
        """Ends it in order."""
        self.process.terminate()
        self.process.communicate(timeout=60)


@dataclass
class Visit:
    """One execution of a node, in milliseconds since the run's start."""

    node: str
    began: float
    role: str = ""
    ended: float | None = None
    output: str = ""


@dataclass
class Trace:
    """What the events of a run tell."""

    started: float = field(default_factory=time.perf_counter)
    visits: list[Visit] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    run_id: str = ""
    output: str = ""
    status: str = ""

    def take(self, event: Any) -> None:
        """Reads one event."""
        now = (time.perf_counter() - self.started) * 1000
        self.run_id = event.run_id
        if event.event_type == "node_started":
            self.visits.append(Visit(event.node_id, now))
        elif event.event_type == "agent_completed":
            visit = next((v for v in self.visits if v.node == event.agent_id and v.ended is None), None)
            if visit is None:
                visit = Visit(event.agent_id, now)
                self.visits.append(visit)
            visit.role, visit.ended, visit.output = event.role, now, event.output
        elif event.event_type == "gate_paused":
            self.visits = [v for v in self.visits if v.node != event.node_id or v.ended is not None]
        elif event.event_type == "loop_iteration" and not event.HasField("reason"):
            self.loops.append(f"{event.loop.iteration} of at most {event.loop.max}")
        elif event.event_type == "run_completed":
            self.output, self.status = event.output, event.status


def show_event(event: Any) -> None:
    """One event as a JSON line."""
    from meshflow_grpc.client.messages import to_json

    say(json.dumps({name: value for name, value in to_json(event).items() if value not in ("", None)}))


def execute(client: Any, decision: str, *, stream: bool) -> Trace:
    """Runs the pipeline; where it waits for a human, the reviewer of this script decides."""
    trace = Trace()
    paused = None
    for event in client.stream_run(TASK, workflow="production_pipeline", event_view="full"):
        take(trace, event, stream=stream)
        paused = event if event.event_type == "gate_paused" else None
    if paused is not None:
        if not stream:
            title("The human gate")
            say(f"{paused.node_id} waits: {paused.reason}")
            say(f"the reviewer says: {decision}  ({paused.approval.approval_id})")
        decide(client, trace, paused, decision, stream=stream)
    return trace


def take(trace: Trace, event: Any, *, stream: bool) -> None:
    """Notes an event, and prints it in streaming mode; the fifteen stages of each step are left out."""
    if event.event_type != "stage_decided":
        trace.take(event)
        if stream:
            show_event(event)


def decide(client: Any, trace: Trace, paused: Any, decision: str, *, stream: bool) -> None:
    """Decides and follows the run to its end; watching begins with the pause itself, so that nothing after it is missed."""
    for event in client.watch_run(trace.run_id, after_sequence=paused.sequence - 1, event_view="full"):
        if event.sequence == paused.sequence:
            client.decide_approval(paused.approval.approval_id, decision, comment="decided by the lesson's reviewer")
        else:
            take(trace, event, stream=stream)


def side_by_side(visit: Visit, visits: list[Visit]) -> list[str]:
    """The nodes that ran while this one did."""
    end = visit.ended if visit.ended is not None else visit.began
    return [
        other.node
        for other in visits
        if other is not visit and other.began < end and other.ended is not None and visit.began < other.ended
    ]


def show_map(trace: Trace) -> None:
    """Every node that executed, in order, with its neighbours in time."""
    title("Every node that executed")
    say(f"{'#':>2}  {'node':<14}{'role':<14}{'began':>9}{'ended':>9}  in parallel with")
    for number, visit in enumerate(trace.visits, start=1):
        ended = "" if visit.ended is None else f"{visit.ended:.0f} ms"
        beside = ", ".join(side_by_side(visit, trace.visits)) or "-"
        say(f"{number:>2}  {visit.node:<14}{visit.role:<14}{visit.began:>6.0f} ms{ended:>9}  {beside}")
        if visit.node == "quality_gate" and visit.output.startswith("{"):
            say(f"    score: {json.loads(visit.output)['quality_score']}")
    say(f"nodes executed: {sum(v.ended is not None for v in trace.visits)}; quality loop: {len(trace.loops)} revisions")


def show_result(client: Any, trace: Trace) -> None:
    """How the run ended."""
    run = client.get_run(trace.run_id)
    title("The result")
    say(f"run {run.run_id}: {run.status}" + (f" ({run.block_reason})" if run.HasField("block_reason") else ""))
    say(f"cost {run.total_cost_usd:.6f} USD, {run.total_tokens} tokens, {run.ledger_entries} ledger entries")
    if trace.output:
        say(trace.output)


def show_ledger(server: Server, run_id: str) -> None:
    """Verifies the chain as it is stored."""
    from meshflow_grpc import ReplayLedger

    async def read() -> tuple[Any, list[Any]]:
        ledger = ReplayLedger(server.ledger)
        return await ledger.verify_chain(run_id), await ledger.get_run(run_id)

    verified, entries = asyncio.run(read())
    title("The ledger")
    for entry in entries:
        name = entry.node_id or "-"
        say(f"{entry.sequence:>3}  {entry.kind:<16}{name:<14}{entry.prev_hash[:10]}  {entry.hash[:10]}")
    say(f"chain valid: {bool(verified)}")
    say(f"\nThe ledger is {server.ledger}; verify it yourself: meshflow ledger verify --db {server.ledger} {run_id}")


def passes_the_check(client: Any) -> bool:
    """Pre-flight: what the configuration of --reject violates, found before any node executes."""
    import yaml

    document = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    document["nodes"]["publisher"]["role"] = PUBLISHER_ROLE_IN_REJECT_MODE
    checked = client.check_run(TASK, workflow_yaml=yaml.safe_dump(document, sort_keys=False))
    title("Pre-flight check")
    if checked.admissible:
        say("admissible; the pipeline goes on to its human gate")
        return True
    say("REJECTED before any node executed")
    for violation in checked.violations:
        say(f"  field:    {violation.field}\n  stage:    {violation.stage}\n  violates: {violation.description}")
    say(
        "\nThe cause: the publisher of this configuration has no role. Set PUBLISHER_ROLE_IN_REJECT_MODE in this script to"
    )
    say('"ORCHESTRATOR" and run --reject again: the check passes, and the reviewer rejects at the human gate.')
    return False


def demonstrate(server: Server, *, stream: bool, reject: bool) -> None:
    """One mode of the lesson."""
    from meshflow_grpc.client.sync_client import Client

    with Client(server.address) as client:
        if reject and not passes_the_check(client):
            return
        trace = execute(client, "reject" if reject else "approve", stream=stream)
        if not stream:
            show_map(trace)
            show_result(client, trace)
            show_ledger(server, trace.run_id)


def main() -> None:
    """Runs the pipeline once, in the mode asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--stream", action="store_true", help="print each event as a line of JSON")
    mode.add_argument(
        "--reject", action="store_true", help="see a broken configuration, and then the human gate, refuse"
    )
    options = parser.parse_args()
    server = Server()
    try:
        demonstrate(server, stream=options.stream, reject=options.reject)
    finally:
        server.stop()


if __name__ == "__main__":
    use_the_projects_python()
    main()
