"""A connection that goes silent without being closed is found out by keepalive, and the watch goes on over another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.client import AsyncClient, Connection
from meshflow_grpc.client.messages import RunEvent
from tests.unit.client.fake_server import Hang

if TYPE_CHECKING:
    from tests.unit.client.fake_server import FakeServer


class Relay:
    """Passes bytes to a server; ``silence`` drops those of the connections so far, and closes none."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._silent: list[asyncio.Event] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> str:
        """Listens; returns its address."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def silence(self) -> None:
        """From now on nothing passes over the connections there are."""
        for silent in self._silent:
            silent.set()

    async def stop(self) -> None:
        """Closes everything."""
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """Connections so far."""
        return len(self._silent)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent = asyncio.Event()
        self._silent.append(silent)
        onward, back = await asyncio.open_connection(self._host, self._port)
        self._writers += [writer, back]
        await asyncio.gather(_pass(reader, back, silent), _pass(onward, writer, silent))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silent: asyncio.Event) -> None:
    try:
        while data := await reader.read(65536):
            if not silent.is_set():
                writer.write(data)
    except ConnectionError:
        return


async def test_a_silent_connection_is_given_up_and_the_watch_goes_on(server: FakeServer) -> None:
    """Without a ping the client would wait for events for ever."""
    first = RunEvent(event_type="agent_completed", run_id="run_1", sequence=1)
    last = RunEvent(event_type="run_completed", run_id="run_1", sequence=2)
    server.answers("WatchRun", [first, Hang()], [first, last])
    relay = Relay(server.address.removeprefix("http://"))
    connection = Connection(await relay.start(), reconnect_delay_s=0.001, keepalive_s=0.3, keepalive_timeout_s=0.3)

    seen = []
    async with AsyncClient(connection) as client, asyncio.timeout(60):
        async for event in client.watch_run("run_1"):
            seen.append(event.sequence)
            relay.silence()
    await relay.stop()

    assert seen == [1, 2]
    assert relay.connections >= 2
