"""A call to a peer whose headers travel first, over real channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc import aio

from meshflow_grpc._gen.meshflow.v1 import run_pb2
from meshflow_grpc.domain.mesh import MeshNode
from meshflow_grpc.domain.node_token import digest_of_call
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.mesh import call_channels
from meshflow_grpc.mesh.call_ahead import CallAhead
from meshflow_grpc.mesh.call_channels import NoCredentials
from meshflow_grpc.mesh.peer_client import GrpcPeerClient
from meshflow_grpc.mesh.peer_methods import RUN
from meshflow_grpc.ports.mesh import PeerAnswer, PeerCall, PeerUnreachableError
from tests.fakes.peers import mesh_node
from tests.free_ports import free_port

WAIT_S = 60.0
CALL = PeerCall("acme", "noop", "t", {"budget_usd": 1.0}, "run/step", 30.0, traceparent="00-1-2-01")


class _Peer:
    """Answers each run at once, and keeps what it was asked."""

    def __init__(self, port: int = 0) -> None:
        self.runs: list[tuple[Mapping[str, str], bytes]] = []
        self._server = aio.server()
        handlers = {"Run": self._run, "CancelRun": self._cancel}
        made: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(each) for name, each in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("meshflow.v1.RunService", made),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")

    async def start(self) -> MeshNode:
        """Listens."""
        await self._server.start()
        return mesh_node("build.ai", f"127.0.0.1:{self.port}")

    async def stop(self) -> None:
        """Cuts every connection."""
        await self._server.stop(0)

    async def _run(self, request: bytes, context: Any) -> bytes:
        self.runs.append(({str(key): str(value) for key, value in context.invocation_metadata()}, request))
        return run_pb2.RunResponse(run_id="r", status="completed", output="built").SerializeToString()

    async def _cancel(self, request: bytes, context: Any) -> bytes:
        del request, context
        return run_pb2.RunResponse(run_id="r", status="cancelled").SerializeToString()


class _Digests(NoCredentials):
    """Shows a peer the digest of each call, as a node's token does."""

    def metadata(self, node: MeshNode, tenant_id: str, digest: str) -> tuple[tuple[str, str], ...]:
        """See NodeCredentials."""
        del node, tenant_id
        return (("digest", digest),)


@asynccontextmanager
async def _world(answer_s: float = WAIT_S) -> AsyncIterator[tuple[_Peer, MeshNode, GrpcPeerClient]]:
    peer, client = _Peer(), GrpcPeerClient(_Digests(), answer_s=answer_s)
    try:
        yield peer, await peer.start(), client
    finally:
        await client.close()
        await peer.stop()


async def _until(ahead: CallAhead, *, usable: bool) -> None:
    async with asyncio.timeout(WAIT_S):
        while ahead.usable is not usable:  # noqa: ASYNC110 - the clock tells nobody
            await asyncio.sleep(0.01)


async def test_the_first_call_opens_the_connection() -> None:
    """There is none to open a call on before; ``ahead`` never makes one, and never waits for one."""
    async with _world() as (peer, node, client):
        with client.ahead(node, CALL) as ahead:
            assert ahead is None
            answer = await client.run(node, CALL, lambda _: None, ahead)

    assert (answer.status, len(peer.runs)) == (RunStatus.COMPLETED, 1)


async def test_a_call_that_went_ahead_is_the_same_call() -> None:
    """Same request, same trace, a credential for exactly these bytes; the peer's handler is called once."""
    told: list[str] = []
    async with _world() as (peer, node, client):
        plain = await client.run(node, CALL, told.append)
        with client.ahead(node, CALL) as ahead:
            assert ahead is not None
            await _until(ahead, usable=True)
            answer = await client.run(node, CALL, told.append, ahead)

    (first, request), (second, ahead_request) = peer.runs
    assert (answer, ahead_request, told) == (plain, request, ["r", "r"])
    assert second["traceparent"] == first["traceparent"] == CALL.traceparent
    assert second["digest"] == first["digest"] == digest_of_call(RUN.path, request)


async def test_what_is_taken_back_was_never_asked() -> None:
    """Calls answered on the same connection afterwards show that the peer had time to hear of it."""
    async with _world() as (peer, node, client):
        await client.cancel(node, CALL, "r")
        with client.ahead(node, CALL) as ahead:
            assert ahead is not None
            await client.cancel(node, CALL, "r")
        for _ in range(3):
            await client.cancel(node, CALL, "r")

    assert peer.runs == []


async def test_a_call_that_waited_too_long_is_made_anew() -> None:
    """It has spent its time: the peer is asked once, by a call with all of it."""
    async with _world(answer_s=5.0) as (peer, node, client):
        await client.cancel(node, CALL, "r")
        with client.ahead(node, CALL) as ahead:
            assert ahead is not None
            await client.cancel(node, CALL, "r")
            await _until(ahead, usable=False)
            answer = await client.run(node, CALL, lambda _: None, ahead)

    assert (answer.status, len(peer.runs)) == (RunStatus.COMPLETED, 1)


async def test_what_is_durable_at_once_is_asked_at_once() -> None:
    """A call that has not begun yet never does."""
    async with _world() as (peer, node, client):
        await client.cancel(node, CALL, "r")
        with client.ahead(node, CALL) as ahead:
            assert ahead is not None
            assert not ahead.usable
            answer = await client.run(node, CALL, lambda _: None, ahead)
        await client.cancel(node, CALL, "r")

    assert (answer.status, len(peer.runs)) == (RunStatus.COMPLETED, 1)


async def test_a_connection_that_breaks_meanwhile_was_asked_nothing() -> None:
    """So another peer may be asked at once."""
    async with _world() as (peer, node, client):
        await client.cancel(node, CALL, "r")
        with client.ahead(node, CALL) as ahead:
            assert ahead is not None
            await client.cancel(node, CALL, "r")
            await peer.stop()
            await _until(ahead, usable=False)
            with pytest.raises(PeerUnreachableError) as unreachable:
                await client.run(node, CALL, lambda _: None, ahead)

    assert (unreachable.value.sent, peer.runs) == (False, [])


async def test_an_endpoint_that_is_away_leaves_time_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when its channel failed before and says so until it is connected; the connection that stands is used at once."""
    monkeypatch.setattr(call_channels, "CONNECT_S", 1.0)
    async with asyncio.timeout(WAIT_S), _world() as (peer, node, client):
        await peer.stop()
        away = replace(node, endpoints=(f"127.0.0.1:{free_port()}", *node.endpoints))
        with pytest.raises(PeerUnreachableError):
            await client.run(away, CALL, _nobody)
        again = _Peer(peer.port)
        try:
            await again.start()
            while (answer := await _answered(client, away)) is None:
                pass
            assert answer.status is RunStatus.COMPLETED
            with client.ahead(away, CALL) as begun:
                assert begun is not None
        finally:
            await again.stop()


async def _answered(client: GrpcPeerClient, node: MeshNode) -> PeerAnswer | None:
    """None when it was not reached, on a machine that was slower than the time for it."""
    try:
        return await client.run(node, CALL, _nobody)
    except PeerUnreachableError:
        return None


def _nobody(_: str) -> None:
    """Nobody wants to know the run's id."""
