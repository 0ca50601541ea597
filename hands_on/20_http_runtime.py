"""The HTTP runtime in six demonstrations, against a real server: `MESHFLOW_MOCK=1 python3 hands_on/20_http_runtime.py`.

`--serve` only starts the server (default port 8080) and leaves it running, for your own curl commands.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"
TASK = "Analyze the Q3 revenue figures and flag any anomalies."


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


def title(number: int, name: str) -> None:
    """The head of a demonstration."""
    say(f"\nDemo {number}: {name}\n" + "-" * 72)


class Server:
    """`meshflow serve` as a child of this script."""

    def __init__(self, port: int, ledger: Path) -> None:
        self.ledger = ledger
        environment = {**os.environ, "MESHFLOW_LEDGER_DB": str(ledger), "MESHFLOW_LOG_FORMAT": "json"}
        if not environment.get("ANTHROPIC_API_KEY"):
            environment["MESHFLOW_MOCK"] = "1"
        command = [sys.executable, "-m", "meshflow_grpc", "serve", "--port", str(port)]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603
        self.url = self._address()

    def _address(self) -> str:
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if '"event": "serving"' in line:
                return str(json.loads(line)["address"])
        sys.exit("the server did not start:\n" + "".join(lines))

    def wait(self) -> None:
        """Passes its log on until it ends or Ctrl-C."""
        assert self.process.stderr is not None
        try:
            for line in self.process.stderr:
                sys.stderr.write(line)
        except KeyboardInterrupt:
            say()

    def stop(self) -> None:
        """Ends it in order."""
        self.process.terminate()
        self.process.communicate(timeout=60)


def show(method: str, path: str, body: object, status: int, answer: dict[str, Any], ms: float) -> None:
    """Request and answer, shortened."""
    say(f"{method} {path}" + (f"  {json.dumps(body)}" if body is not None else ""))
    say(f"status {status} in {ms:.1f} ms")
    for name, value in answer.items():
        text = json.dumps(value)
        say(f"  {name}: {text if len(text) <= 100 else text[:97] + '...'}")


async def timed(http: Any, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any], float]:
    """Calls and returns status, JSON and milliseconds."""
    started = time.perf_counter()
    response = await http.request(method, path, json=body)
    return response.status_code, response.json(), (time.perf_counter() - started) * 1000


MAIN_FIELDS = ("run_id", "status", "output", "total_cost_usd", "total_tokens", "ledger_entries")


def main_fields(run: dict[str, Any]) -> dict[str, Any]:
    """What a reader looks at first."""
    more = ("blocked_by", "block_reason", "duration_ms")
    return {name: run[name] for name in (*MAIN_FIELDS, *more) if name in run}


async def health(http: Any) -> None:
    """Demo 1."""
    title(1, "GET /health")
    show("GET", "/health", None, *await timed(http, "GET", "/health"))


async def one_run(http: Any) -> str:
    """Demo 2."""
    title(2, "POST /run, one governed run")
    body = {"task": TASK, "policy": {"budget_usd": 2.0, "enable_guardian": True}}
    status, run, ms = await timed(http, "POST", "/run", body)
    show("POST", "/run", body, status, main_fields(run), ms)
    return str(run["run_id"])


async def stream(http: Any) -> str:
    """Demo 3."""
    title(3, "POST /stream, the same as Server-Sent Events")
    body = {"task": "Research AI governance trends"}
    say(f"POST /stream  {json.dumps(body)}")
    event: dict[str, Any] = {}
    async with http.stream("POST", "/stream", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                say(f"  data: {line[6:126]}{'...' if len(line) > 126 else ''}")
    say("/run answers once, at the end; /stream shows each agent as its output becomes durable.")
    return str(event["run_id"])


async def policies(http: Any) -> list[str]:
    """Demo 4."""
    title(4, "POST /run with a policy per request: three levels, one task")
    levels = {
        "generous": {"budget_usd": 2.0},
        "one step only": {"budget_usd": 2.0, "max_steps": 1},
        "almost no money": {"budget_usd": 0.0001},
    }
    run_ids = []
    for name, policy in levels.items():
        status, run, ms = await timed(http, "POST", "/run", {"task": TASK, "policy": policy})
        say(f"\n[{name}]")
        show("POST", "/run", {"policy": policy}, status, main_fields(run), ms)
        run_ids.append(str(run["run_id"]))
    return run_ids


async def batch(http: Any) -> list[str]:
    """Demo 5."""
    title(5, "four requests at once")
    topics = ("solar energy", "wind power", "nuclear fusion", "tidal power")
    started = time.perf_counter()
    answers = await asyncio.gather(*(timed(http, "POST", "/run", {"input": {"topic": topic}}) for topic in topics))
    elapsed = (time.perf_counter() - started) * 1000
    for topic, (status, run, ms) in zip(topics, answers, strict=True):
        say(f"  {topic:<16} {status} {run['status']:<10} {ms:7.1f} ms")
    one_by_one = sum(ms for _, _, ms in answers)
    say(
        f"  together {elapsed:.1f} ms, {elapsed / len(topics):.1f} ms each; the four times added up: {one_by_one:.1f} ms"
    )
    return [str(run["run_id"]) for _, run, _ in answers]


async def verify(http: Any, server: Server, run_ids: list[str]) -> None:
    """Demo 6."""
    title(6, "the ledger, verified")
    for run_id in run_ids:
        _, answer, _ = await timed(http, "GET", f"/v1/runs/{run_id}:verify")
        say(f"  {run_id}  valid={answer['valid']}  entries={answer['entries_checked']}")
    say(f"\nThe ledger file is {server.ledger}; verify it without the server: meshflow ledger verify --db FILE RUN_ID")


def afterwards(url: str) -> None:
    """What to try and read next."""
    say(f"""
Try it yourself: python3 hands_on/20_http_runtime.py --serve, then

  curl -s {url}/health
  curl -s -X POST {url}/run -H "Content-Type: application/json" -d '{{"input": {{"topic": "renewable energy"}}}}'
  curl -s -N -X POST {url}/stream -H "Content-Type: application/json" -d '{{"task": "Research AI governance trends"}}'
  curl -s -X POST {url}/run -H "Content-Type: application/json" -d '{{"bad_field": "oops"}}'

The container image is the Dockerfile of this repository; docs/http.md and docs/configuration.md say the rest.""")


async def demonstrate(server: Server) -> None:
    """All six, in order."""
    import httpx

    async with httpx.AsyncClient(base_url=server.url, timeout=120) as http:
        await health(http)
        run_ids = [await one_run(http), await stream(http), *await policies(http), *await batch(http)]
        await verify(http, server, run_ids)


def main() -> None:
    """Runs the demonstrations, or only the server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="only start the server and leave it running")
    parser.add_argument("--port", type=int, help="port of the server; default: a free one, 8080 with --serve")
    options = parser.parse_args()
    port = options.port if options.port is not None else 8080 if options.serve else 0
    with tempfile.TemporaryDirectory() as directory:
        ledger = Path(os.environ.get("MESHFLOW_LEDGER_DB") or Path(directory) / "ledger.db")
        server = Server(port, ledger)
        try:
            if options.serve:
                say(f"serving on {server.url}; Ctrl-C ends it")
                server.wait()
            else:
                asyncio.run(demonstrate(server))
                afterwards("http://localhost:8080")
        finally:
            server.stop()


if __name__ == "__main__":
    use_the_projects_python()
    main()
