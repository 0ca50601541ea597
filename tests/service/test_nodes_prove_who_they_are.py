"""Nodes against a real server: what their tokens open, what they do not, and TLS on the way."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc import aio

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import ListRunsRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc.domain.node_token import NODE_HEADER, NodeRefusedError, digest_of_call
from meshflow_grpc.mesh.channel_files import ChannelFiles
from meshflow_grpc.mesh.known_nodes import KnownNodes
from meshflow_grpc.mesh.node_credentials import SignedCalls
from meshflow_grpc.mesh.node_key import NodeKey
from meshflow_grpc.mesh.peer_client import GrpcPeerClient
from meshflow_grpc.ports.mesh import PeerUnreachableError
from meshflow_grpc.rpc.authenticators.api_key import ApiKeyAuthenticator, new_api_key, parse_api_keys
from meshflow_grpc.rpc.authenticators.node_token import NodesAndUsers, NodeTokenAuthenticator
from meshflow_grpc.rpc.authorization import ALLOWED, OPERATOR, VIEWER, is_public
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator
from meshflow_grpc.rpc.server import SERVICE_NAMES, GrpcServer, ServerLimits
from tests.clients.test_clients_speak_mutual_tls import Identity, identity
from tests.fakes.mesh_registry import DictRegistry, node
from tests.service.conftest import failing
from tests.unit.engine.conftest import World, make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = NodeKey.generate()
MARCO = node("marco.ai")
USER, ENTRY = new_api_key("op", "acme", ("operator",), lambda size: "ab" * size)


@dataclass
class Marco:
    """marco.ai, which asks its users for API keys, and build.ai's way of calling it."""

    world: World
    channel: aio.Channel
    build: SignedCalls
    refused: list[NodeRefusedError] = field(default_factory=list)

    @property
    def runs(self) -> Any:
        """RunService."""
        return RunServiceStub(self.channel)

    def signed(self, tenant: str = "acme") -> tuple[tuple[str, str], ...]:
        """Metadata of one more call of build.ai."""
        return self.build.metadata(MARCO, tenant)


@pytest.fixture
async def marco() -> AsyncIterator[Marco]:
    """A server and a channel to it."""
    world, refused = make_world(), list[NodeRefusedError]()
    registry = DictRegistry(node("build.ai", public_key=KEY.public_jwk), MARCO)
    users = ApiKeyAuthenticator(parse_api_keys(json.dumps({"keys": [ENTRY]})))
    face = NodesAndUsers(NodeTokenAuthenticator("marco.ai", KnownNodes(registry)), users, refused.append)
    async with AsyncExitStack() as stack:
        server = GrpcServer(world.runtime.commands, world.runtime.state, face, ServerLimits())
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.stop, 0)
        channel = await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
        yield Marco(world, channel, SignedCalls("build.ai", KEY, ChannelFiles()), refused)


async def test_a_nodes_run_is_its_tenants_and_names_the_node(marco: Marco) -> None:
    """The ledger says which node it was and how that was proven; users of the tenant see the run, others do not."""
    run = await marco.runs.Run(RunRequest(task="x"), metadata=marco.signed())

    entries = await marco.world.entries(run.run_id)
    assert entries[0].facts["actor"] == {"principal": "node:build.ai", "auth": "node"}
    user = (("authorization", f"Bearer {USER}"),)
    assert [each.run_id for each in (await marco.runs.ListRuns(ListRunsRequest(), metadata=user)).runs] == [run.run_id]
    assert not (await marco.runs.ListRuns(ListRunsRequest(), metadata=marco.signed("rival"))).runs
    assert marco.refused == []


async def test_a_node_may_run_and_read_and_nothing_else(marco: Marco) -> None:
    """On every RPC: never approve, never erase."""
    pool = descriptor_pool.Default()
    ours = (name for name in SERVICE_NAMES if name.startswith("meshflow."))
    for method in (method for name in ours for method in pool.FindServiceByName(name).methods):
        path = f"/{method.containing_service.full_name}/{method.name}"
        if is_public(path):
            continue
        code = await _code(marco.channel, method, path, marco.signed())
        denied = code is grpc.StatusCode.PERMISSION_DENIED
        assert denied == (ALLOWED[path] not in (OPERATOR, VIEWER)), path


async def test_a_node_that_proves_nothing_is_refused_and_told(marco: Marco) -> None:
    """With a typed error that says why, on the RPC and to the observer."""
    used = marco.signed()
    await marco.runs.ListRuns(ListRunsRequest(), metadata=used)
    elsewhere = marco.build.metadata(node("cortex.ai"), "acme")
    for metadata, cause in (
        (used, "replayed"),
        (elsewhere, "wrong_audience"),
        (((NODE_HEADER, "build.ai"),), "no_credential"),
        (((NODE_HEADER, "build.ai"), ("authorization", f"Bearer {USER}")), "no_credential"),
    ):
        error = await failing(marco.runs.Run(RunRequest(task="x"), metadata=metadata))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
        assert error.metadata == {"cause": cause}
        assert marco.refused[-1].cause == cause
    assert len(marco.refused) == 4
    assert not (await marco.runs.ListRuns(ListRunsRequest(), metadata=marco.signed())).runs


async def test_a_token_is_good_for_the_call_it_names(marco: Marco) -> None:
    """Not for another request, nor for another method with the same bytes; and for its own."""
    request = RunRequest(task="x", request_id="r")

    def named(method: str) -> tuple[tuple[str, str], ...]:
        return marco.build.metadata(MARCO, "acme", digest_of_call(method, request.SerializeToString()))

    run = "/meshflow.v1.RunService/Run"
    for task, metadata in (("y", named(run)), ("x", named("/meshflow.v1.RunService/CreateRun"))):
        error = await failing(marco.runs.Run(RunRequest(task=task, request_id="r"), metadata=metadata))
        assert (error.reason, error.metadata) == ("UNAUTHENTICATED", {"cause": "other_call"})
    used = named(run)
    assert (await marco.runs.Run(request, metadata=used)).status == "completed"
    assert (await failing(marco.runs.Run(request, metadata=used))).metadata == {"cause": "replayed"}


async def test_a_replayed_token_begins_nothing_at_another_replica(marco: Marco) -> None:
    """A replica on the same ledger has not seen the token: it may only show the run that there is."""
    request = RunRequest(task="x", request_id="r")
    digest = digest_of_call("/meshflow.v1.RunService/Run", request.SerializeToString())
    used = marco.build.metadata(MARCO, "acme", digest)
    first = await marco.runs.Run(request, metadata=used)
    registry = DictRegistry(node("build.ai", public_key=KEY.public_jwk), MARCO)
    nodes = NodesAndUsers(
        NodeTokenAuthenticator("marco.ai", KnownNodes(registry)), AnonymousAuthenticator(), marco.refused.append
    )
    replica = GrpcServer(marco.world.runtime.commands, marco.world.runtime.state, nodes, ServerLimits())
    port = await replica.start("127.0.0.1:0")
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        again: Any = RunServiceStub(channel)
        assert (await again.Run(request, metadata=used)).run_id == first.run_id
        for other in (RunRequest(task="x", request_id="s"), RunRequest(task="y")):
            await failing(again.Run(other, metadata=used))
    await replica.stop(0)
    assert marco.refused[-1].cause == "other_call"
    listed = await marco.runs.ListRuns(ListRunsRequest(), metadata=marco.signed())
    assert [each.run_id for each in listed.runs] == [first.run_id]


async def _code(channel: aio.Channel, method: Any, path: str, metadata: Any) -> grpc.StatusCode:
    request = message_factory.GetMessageClass(method.input_type)()
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    answer = make(path, type(request).SerializeToString, None)(request, metadata=metadata)
    try:
        await (answer.read() if method.server_streaming else answer)
    except aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@dataclass(frozen=True)
class SecurePeer:
    """A peer that serves TLS and asks for certificates."""

    address: str
    own: Identity
    caller: Identity


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[SecurePeer]:
    """It answers every call with nothing."""
    own, caller = identity(tmp_path, "peer"), identity(tmp_path, "caller")

    async def empty(_request: bytes, _context: object) -> bytes:
        return b""

    server = aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("peer.Peer", {"Ask": grpc.unary_unary_rpc_method_handler(empty)})]
    )
    pair = (own.key.read_bytes(), own.certificate.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], caller.certificate.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield SecurePeer(f"127.0.0.1:{port}", own, caller)
    await server.stop(None)


async def test_channels_to_peers_with_tls_are_encrypted_both_ways(secure: SecurePeer) -> None:
    """With the authority and the own certificate it passes; without either not a word is said."""
    peer = node("marco.ai", tls=True)
    both = ChannelFiles(secure.own.certificate, secure.caller.certificate, secure.caller.key)
    both.check()
    for files, code in (
        (both, grpc.StatusCode.OK),
        (ChannelFiles(secure.own.certificate), grpc.StatusCode.UNAVAILABLE),
        (ChannelFiles(None, secure.caller.certificate, secure.caller.key), grpc.StatusCode.UNAVAILABLE),
    ):
        credentials = SignedCalls("build.ai", KEY, files).channel_credentials(peer, secure.address)
        assert credentials is not None
        async with aio.secure_channel(secure.address, credentials) as channel:
            assert await _ask(channel) is code
    assert SignedCalls("build.ai", KEY, both).channel_credentials(MARCO, secure.address) is None


async def test_nothing_is_sent_in_the_clear_beyond_this_machine() -> None:
    """A peer that is registered without TLS elsewhere is not reached, unless that is allowed; one on this machine is."""
    away = replace(MARCO, endpoints=("marco.internal:8765", "10.0.0.7:8765"), tls=False)
    client = GrpcPeerClient(SignedCalls("build.ai", KEY, ChannelFiles()))
    with pytest.raises(PeerUnreachableError, match=r"10\.0\.0\.7:8765 is served without TLS") as refused:
        await client.evidence(away, "acme", "run_1")
    assert not refused.value.sent
    await client.close()
    allowed = SignedCalls("build.ai", KEY, ChannelFiles(), allow_plaintext=True)
    assert allowed.channel_credentials(away, away.endpoints[0]) is None
    for endpoint in ("127.0.0.1:1", "localhost:1", "[::1]:1"):
        assert SignedCalls("build.ai", KEY, ChannelFiles()).channel_credentials(away, endpoint) is None


async def _ask(channel: aio.Channel) -> grpc.StatusCode:
    try:
        await channel.unary_unary("/peer.Peer/Ask")(b"", timeout=60)
    except aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_certificate_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """Before the server starts."""
    one, other = identity(tmp_path, "one"), identity(tmp_path, "other")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("x")

    for files, what in (
        (ChannelFiles(authorities=rubbish), "holds no certificates"),
        (ChannelFiles(certificate=rubbish, key=one.key), "holds no certificate"),
        (ChannelFiles(certificate=one.certificate, key=rubbish), "holds no unencrypted private key"),
        (ChannelFiles(certificate=one.certificate, key=other.key), "is not that of the certificate"),
    ):
        with pytest.raises(ValueError, match=what):
            files.check()
    with pytest.raises(OSError, match="nowhere"):
        ChannelFiles(authorities=tmp_path / "nowhere").check()
