"""Two thousand connections at once, and readers that stop reading: everybody is served, and nothing grows without bound."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.process_use import used_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import MeshflowServer

CONNECTIONS = 2000
READERS = 10
ROUNDS = 100
POLICY = {
    "budget_usd": 10_000.0,
    "budget_tokens": 1_000_000_000,
    "max_steps": 1000,
    "timeout_s": 600,
    "enable_guardian": False,
}
OUTPUT = 100_000
MIB = 2**20
CHATTY = f"""
name: chatty
nodes:
  talker: {{kind: agent, max_output_tokens: 100000, mock: {{output: "{"x" * OUTPUT}"}}}}
  again: {{kind: agent, max_output_tokens: 10, mock: {{output: "again"}}}}
edges:
  - START -> talker
  - talker -> again
  - {{from: again, to: talker, condition: 'iteration < {ROUNDS}', max_iterations: {ROUNDS}}}
  - again -> END
"""


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def address(server: MeshflowServer) -> tuple[str, int]:
    """Where it listens."""
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


async def health(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """GET /health on an open connection; returns the status line."""
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    return head.split(b"\r\n", 1)[0]


@pytest.mark.slow
@pytest.mark.usefixtures("many_files")
async def test_two_thousand_connections_are_all_answered(server: MeshflowServer) -> None:
    """All at once, twice on the same connections; a run goes through meanwhile, and what they held is given back."""
    host, port = address(server)
    before = used_by(server)
    opened = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(CONNECTIONS)))
    for _ in range(2):
        answers = asyncio.gather(*(health(reader, writer) for reader, writer in opened))
        run = asyncio.to_thread(server.post, "/run", {"task": "tides"})
        assert set(await answers) == {b"HTTP/1.1 200 OK"}
        assert (await run).json()["status"] == "completed"
    during = used_by(server)
    for _, writer in opened:
        writer.close()

    assert during.memory - before.memory < CONNECTIONS * 100 * 1024
    async with asyncio.timeout(60):
        while used_by(server).files > before.files + 20:
            await asyncio.to_thread(server.get, "/health")


def stalled_reader(server: MeshflowServer, run_id: str) -> socket.socket:
    """Asks for a run's events and does not read them."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(address(server))
    connection.sendall(f"GET /v1/runs/{run_id}/events HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    return connection


@pytest.mark.slow
async def test_readers_that_stop_reading_cost_next_to_nothing_and_lose_nothing(server: MeshflowServer) -> None:
    """Neither that run of megabytes nor any other call waits for them, and less than half of what they did not take is held."""
    total = OUTPUT * ROUNDS
    before = used_by(server)
    started = await asyncio.to_thread(
        server.post, "/v1/runs", {"task": "talk", "workflow_yaml": CHATTY, "policy": POLICY}
    )
    run_id = started.json()["run_id"]
    readers = [await asyncio.to_thread(stalled_reader, server, run_id) for _ in range(READERS)]

    ended = await asyncio.to_thread(server.get, f"/v1/runs/{run_id}:wait", params={"timeout_s": 50})
    late = [await asyncio.to_thread(stalled_reader, server, run_id) for _ in range(READERS)]
    answered = await asyncio.to_thread(server.post, "/run", {"task": "tides"})

    assert ended.json()["status"] == answered.json()["status"] == "completed"
    assert used_by(server).memory - before.memory < READERS * total
    for reader in (readers[0], late[0]):
        assert await asyncio.to_thread(sequences, reader) == list(range(1, ended.json()["ledger_entries"] + 1))
    for reader in (*readers, *late):
        reader.close()


def sequences(connection: socket.socket) -> list[int]:
    """Reads the stream to its end; the ids of its events."""
    found = []
    with connection.makefile("rb") as lines:
        for line in lines:
            if line.startswith(b"id: "):
                found.append(int(line.removeprefix(b"id: ")))
            if b"run_completed" in line:
                assert json.loads(line.removeprefix(b"data: "))["status"] == "completed"
                return found
    return found
