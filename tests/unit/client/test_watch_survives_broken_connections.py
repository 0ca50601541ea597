"""A watch goes on after every break, and shows each event once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from meshflow_grpc.client import AsyncClient, Client, Connection, MeshflowCallError
from meshflow_grpc.client.messages import LedgerHead, RunEvent, RunResponse
from tests.unit.client.fake_server import Hang, Refusal

if TYPE_CHECKING:
    from tests.unit.client.fake_server import FakeServer

BROKEN = Refusal(grpc.StatusCode.UNAVAILABLE, "connection reset")
RUNNING = RunResponse(run_id="run_1", status="running", ledger_head=LedgerHead(sequence=3))


def event(sequence: int, event_type: str = "agent_completed") -> RunEvent:
    """An event of run_1."""
    return RunEvent(event_type=event_type, run_id="run_1", sequence=sequence)


def client_of(server: FakeServer, reconnects: int = 8) -> AsyncClient:
    """A client that takes up a watch at once."""
    return AsyncClient(Connection(server.address, reconnects=reconnects, reconnect_delay_s=0.001))


async def test_a_broken_stream_is_taken_up_after_the_last_event(server: FakeServer) -> None:
    """The second call asks for what comes after the last sequence seen, and nothing is shown twice."""
    server.answers("WatchRun", [event(1), event(3), BROKEN], [event(3), event(4), event(5, "run_completed")])

    async with client_of(server) as client:
        seen = [each.sequence async for each in client.watch_run("run_1")]

    assert seen == [1, 3, 4, 5]
    assert [request.after_sequence for request in server.requests("WatchRun")] == [0, 3]


async def test_a_stream_that_ends_early_without_an_error_is_taken_up(server: FakeServer) -> None:
    """A clean end before run_completed (a server that drained) is a break like any other."""
    server.answers("WatchRun", [event(1)], [event(2, "run_completed")])
    server.answers("GetRun", RUNNING)

    async with client_of(server) as client:
        assert [each.sequence async for each in client.watch_run("run_1")] == [1, 2]


async def test_a_watch_from_the_end_of_an_ended_run_ends(server: FakeServer) -> None:
    """When the run has ended and no entry lies beyond the given sequence, there is nothing to wait for."""
    server.answers("WatchRun", [])
    server.answers("GetRun", RunResponse(status="completed", ledger_head=LedgerHead(sequence=5)))

    async with client_of(server) as client:
        assert [each async for each in client.watch_run("run_1", after_sequence=5)] == []

    assert len(server.requests("WatchRun")) == 1


async def test_live_events_without_a_sequence_are_shown(server: FakeServer) -> None:
    """Live-only events carry no sequence and do not move the place to resume from."""
    live = RunEvent(event_type="node_started", run_id="run_1", node_id="writer")
    server.answers("WatchRun", [event(1), live, BROKEN], [event(2, "run_completed")])

    async with client_of(server) as client:
        kinds = [each.event_type async for each in client.watch_run("run_1", event_view="full")]

    assert kinds == ["agent_completed", "node_started", "run_completed"]
    assert [request.event_view for request in server.requests("WatchRun")] == ["full", "full"]


async def test_an_unknown_run_is_not_tried_again(server: FakeServer) -> None:
    """A server that refuses with a reason of its own is believed at once."""
    server.answers("WatchRun", [Refusal(grpc.StatusCode.NOT_FOUND, "no such run", "RUN_NOT_FOUND")])

    async with client_of(server) as client:
        with pytest.raises(MeshflowCallError) as raised:
            await anext(client.watch_run("run_0"))

    assert raised.value.reason == "RUN_NOT_FOUND"
    assert len(server.requests("WatchRun")) == 1


async def test_a_server_that_stays_away_ends_the_watch(server: FakeServer) -> None:
    """After the given number of breaks in a row the last error is raised."""
    server.answers("WatchRun", [Refusal(grpc.StatusCode.INTERNAL, "stream reset")])

    async with client_of(server, reconnects=2) as client:
        with pytest.raises(MeshflowCallError, match="stream reset"):
            await anext(client.watch_run("run_1"))

    assert len(server.requests("WatchRun")) == 3


async def test_an_event_makes_the_count_of_breaks_start_anew(server: FakeServer) -> None:
    """Only breaks without progress between them count."""
    breaks = [[event(number), BROKEN] for number in range(1, 6)]
    server.answers("WatchRun", *breaks, [event(6, "run_completed")])

    async with client_of(server, reconnects=1) as client:
        assert [each.sequence async for each in client.watch_run("run_1")] == [1, 2, 3, 4, 5, 6]


def test_closing_a_blocking_watch_cancels_the_call(server: FakeServer) -> None:
    """Leaving the loop over a blocking watch ends the stream on the server."""
    server.answers("WatchRun", [event(1), Hang()])

    with Client(server.address) as client:
        for _ in client.watch_run("run_1"):
            break

        assert server.cancelled.wait(5)
