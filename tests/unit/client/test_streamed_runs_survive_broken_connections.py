"""A streamed run goes on after every break: asked for again under its request id, each event shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from meshflow_grpc.client import AsyncClient, Client, Connection, MeshflowCallError
from meshflow_grpc.client.messages import RunEvent
from tests.unit.client.fake_server import Refusal

if TYPE_CHECKING:
    from tests.unit.client.fake_server import FakeServer

BROKEN = Refusal(grpc.StatusCode.INTERNAL, "RST_STREAM")
HANDED_OVER = Refusal(grpc.StatusCode.UNAVAILABLE, "the server stopped before the run ended", "DRAINING")


def event(sequence: int, event_type: str = "agent_completed") -> RunEvent:
    """An event of run_1."""
    return RunEvent(event_type=event_type, run_id="run_1", sequence=sequence)


WHOLE = [event(1, "run_started"), event(2), event(3, "run_completed")]


def connection(server: FakeServer, reconnects: int = 8, delay_s: float = 0.001) -> Connection:
    """A connection that is taken up soon."""
    return Connection(server.address, reconnects=reconnects, reconnect_delay_s=delay_s)


async def test_a_broken_stream_is_asked_for_again_under_its_request_id(server: FakeServer) -> None:
    """Nothing is shown twice, and live events between entries are kept."""
    live = RunEvent(event_type="node_started", run_id="run_1")
    server.answers("StreamRun", [*WHOLE[:2], BROKEN], [HANDED_OVER], [*WHOLE[:2], live, WHOLE[2]])
    async with AsyncClient(connection(server)) as client:
        seen = [each.event_type async for each in client.stream_run("x")]
    assert seen == ["run_started", "agent_completed", "node_started", "run_completed"]
    assert len({request.request_id for request in server.requests("StreamRun")}) == 1
    assert len(server.requests("StreamRun")) == 3


async def test_a_stream_that_ends_where_a_human_is_needed_ends(server: FakeServer) -> None:
    """A clean end is an end."""
    server.answers("StreamRun", [event(1, "run_started"), event(2, "gate_paused")])
    async with AsyncClient(connection(server)) as client:
        assert [each.sequence async for each in client.stream_run("x")] == [1, 2]
    assert len(server.requests("StreamRun")) == 1


async def test_a_refusal_is_told_at_once_and_breaks_are_bounded(server: FakeServer) -> None:
    """What the server says on purpose, and what does not pass."""
    server.answers("StreamRun", [Refusal(grpc.StatusCode.INVALID_ARGUMENT, "no", "INVALID_REQUEST")])
    async with AsyncClient(connection(server, reconnects=2)) as client:
        with pytest.raises(MeshflowCallError, match="INVALID_REQUEST"):
            _ = [each async for each in client.stream_run("x")]
        assert len(server.requests("StreamRun")) == 1
        server.answers("StreamRun", [BROKEN])
        with pytest.raises(MeshflowCallError, match="RST_STREAM"):
            _ = [each async for each in client.stream_run("x")]
    assert len(server.requests("StreamRun")) == 1 + 3


async def test_the_deadline_is_that_of_the_whole_stream(server: FakeServer) -> None:
    """The second call has less time left than the first, by about the pause between."""
    server.answers("StreamRun", [WHOLE[0], BROKEN], WHOLE)
    # From ten seconds on gRPC tells a server the time left in whole seconds.
    async with AsyncClient(connection(server, delay_s=0.5)) as client:
        assert len([each async for each in client.stream_run("x", timeout_s=9.0)]) == 3
    first, second = (call.time_remaining_s for call in server.calls)
    assert first is not None
    assert second is not None
    assert second < first - 0.2


def test_the_synchronous_client_does_the_same(server: FakeServer) -> None:
    """It wraps the other."""
    server.answers("StreamRun", [WHOLE[0], BROKEN], WHOLE)
    with Client(connection(server)) as client:
        assert [each.sequence for each in client.stream_run("x")] == [1, 2, 3]
