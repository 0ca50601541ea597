"""MeshService and its JSON twins: registration, heartbeats, lists and streams, of the caller's tenant alone."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from grpc import aio

from meshflow_grpc._gen.meshflow.v1 import mesh_pb2, rest_service_pb2
from meshflow_grpc._gen.meshflow.v1 import mesh_service_pb2 as mesh
from meshflow_grpc._gen.meshflow.v1.mesh_service_pb2_grpc import MeshServiceStub
from meshflow_grpc._gen.meshflow.v1.rest_service_pb2_grpc import RestServiceStub
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.client import AsyncClient, Client, MeshflowCallError
from meshflow_grpc.domain.mesh import Concern
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.mesh.local_mesh import LocalMesh, MeshRules
from meshflow_grpc.rpc.server import GrpcServer, ServerLimits
from meshflow_grpc.storage.memory.storage import MemoryStorage
from meshflow_grpc.storage.mesh_registry.memory import MemoryRegistry
from meshflow_grpc.system import SystemClock, Uuid7Ids
from tests.fakes.mesh import MeshLog, mesh_node
from tests.fakes.providers import FakeProvider
from tests.service.conftest import failing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

KEY = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'


class HeaderAuthenticator:
    """Believes what the headers say."""

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """Tenant and role as named, by default an admin of acme."""
        return Principal("p", metadata.get("tenant", "acme"), frozenset({metadata.get("role", "admin")}), "test")


class Service:
    """A node behind a real server."""

    def __init__(self, channel: aio.Channel, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.mesh: Any = MeshServiceStub(channel)
        self.rest: Any = RestServiceStub(channel)

    async def slugs(self, tenant: str) -> list[str]:
        """Who serves a tenant."""
        listed = await self.mesh.ListNodes(mesh.ListNodesRequest(), metadata=(("tenant", tenant),))
        return [node.slug for node in listed.nodes]


async def started(stack: AsyncExitStack, member: LocalMesh | None) -> Service:
    """A server with or without a mesh."""
    outside = Outside(MemoryStorage(), FakeProvider(), SystemClock(), Uuid7Ids(), mesh=member)
    runtime = assemble(outside, RuntimeOptions())
    server = GrpcServer(runtime.commands, runtime.state, HeaderAuthenticator(), ServerLimits(), heartbeat_s=0.05)
    port = await server.start("127.0.0.1:0")
    stack.push_async_callback(server.stop, 0)
    return Service(await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}")), port)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A node that serves all tenants."""
    async with AsyncExitStack() as stack:
        member = LocalMesh(MemoryRegistry(), MeshRules(), SystemClock(), MeshLog(), lambda: 0.5)
        stack.push_async_callback(member.close)
        now = SystemClock().now()
        await member.join(mesh_node("build.ai", Concern("build", 10), registered_at=now, heartbeat_at=now))
        yield await started(stack, member)


def registration(**fields: Any) -> Any:
    """A node to register."""
    return mesh.RegisterNodeRequest(**{"slug": "agent.ai", "endpoints": ["10.0.0.1:80"], **fields})


async def test_a_node_is_registered_for_the_callers_tenant(service: Service) -> None:
    """With all that it said of itself; other tenants do not see it."""
    concerns = [mesh_pb2.MeshConcern(name="talk", priority=3)]
    node = await service.mesh.RegisterNode(
        registration(concerns=concerns, public_key=KEY, tls=True, version="2", ttl_s=5)
    )

    assert (node.slug, node.tenant_id, list(node.endpoints)) == ("agent.ai", "acme", ["10.0.0.1:80"])
    assert (node.concerns[0].name, node.concerns[0].priority) == ("talk", 3)
    assert (node.public_key, node.tls, node.version, node.ttl_s) == (KEY, True, "2", 5)
    assert (node.live, node.health, node.breaker) == (True, "unknown", "closed")
    assert await service.slugs("acme") == ["agent.ai", "build.ai"]
    assert await service.slugs("other") == ["build.ai"]


async def test_the_name_of_a_node_that_serves_all_cannot_be_taken(service: Service) -> None:
    """A tenant's own node of that name is asked instead, by that tenant alone."""
    await service.mesh.RegisterNode(registration(slug="build.ai"))
    request = mesh.ResolveNodeRequest(slug="build.ai")
    own = (await service.mesh.ResolveNode(request)).nodes
    others = (await service.mesh.ResolveNode(request, metadata=(("tenant", "other"),))).nodes

    assert [node.tenant_id for node in own] == ["acme"]
    assert [node.tenant_id for node in others] == [""]


async def test_registering_again_keeps_the_node(service: Service) -> None:
    """By name and tenant; another tenant's is another one."""
    first = await service.mesh.RegisterNode(registration())
    again = await service.mesh.RegisterNode(registration(endpoints=["10.0.0.2:80"]))
    other = await service.mesh.RegisterNode(registration(), metadata=(("tenant", "other"),))

    assert again.node_id == first.node_id != other.node_id
    assert again.ttl_s == 30


async def test_heartbeats_are_of_ones_own_nodes(service: Service) -> None:
    """Neither another tenant's nor the server's own node is kept alive by a caller."""
    node = await service.mesh.RegisterNode(registration(ttl_s=5))
    beat = mesh.HeartbeatRequest(node_id=node.node_id)
    assert (await service.mesh.Heartbeat(beat)).ttl_s == 5

    foreign = await failing(service.mesh.Heartbeat(beat, metadata=(("tenant", "other"),)))
    assert (foreign.code, foreign.reason) == (grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND")
    servers = await failing(service.mesh.Heartbeat(mesh.HeartbeatRequest(node_id="id-of-build.ai")))
    assert servers.reason == "NODE_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"slug": ""}, "slug"),
        ({"slug": "Agent"}, "slug"),
        ({"endpoints": []}, "endpoints"),
        ({"endpoints": ["h:1"] * 17}, "endpoints"),
        ({"endpoints": ["h:1", "nowhere"]}, "endpoints[1]"),
        ({"concerns": [mesh_pb2.MeshConcern(name="a")] * 2}, "concerns"),
        ({"concerns": [mesh_pb2.MeshConcern(name="a", priority=-1)]}, "concerns"),
        ({"ttl_s": 0.5}, "ttl_s"),
        ({"ttl_s": float("nan")}, "ttl_s"),
        ({"version": "v" * 101}, "version"),
        ({"public_key": "{}"}, "public_key"),
        ({"public_key": "not json"}, "public_key"),
        ({"public_key": KEY[:-1] + ',"d":"secret"}'}, "public_key"),
    ],
)
async def test_a_bad_registration_names_the_field(service: Service, fields: dict[str, Any], field: str) -> None:
    """And nothing is registered."""
    refused = await failing(service.mesh.RegisterNode(registration(**fields)))

    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
    assert await service.slugs("acme") == ["build.ai"]


async def test_registration_takes_the_role_admin(service: Service) -> None:
    """Who may register decides where steps go."""
    refused = await failing(service.mesh.RegisterNode(registration(), metadata=(("role", "operator"),)))

    assert refused.reason == "PERMISSION_DENIED"


async def test_what_cannot_be_resolved_is_said(service: Service) -> None:
    """Nobody of this name, nobody who takes it, nothing asked, and two things asked."""
    for request in (mesh.ResolveNodeRequest(slug="nobody.ai"), mesh.ResolveNodeRequest(concern="nothing")):
        assert (await failing(service.mesh.ResolveNode(request))).reason == "NODE_NOT_FOUND"
    for request in (mesh.ResolveNodeRequest(), mesh.ResolveNodeRequest(slug="build.ai", concern="build")):
        assert (await failing(service.mesh.ResolveNode(request))).fields == ["slug"]


async def test_changes_are_streamed_to_those_they_concern(service: Service) -> None:
    """What happened before, then what happens; another tenant's nodes are left out."""
    other = service.mesh.WatchMesh(mesh.WatchMeshRequest(), metadata=(("tenant", "other"),))
    assert (await other.read()).slug == "build.ai"
    await service.mesh.RegisterNode(registration())
    own = service.mesh.WatchMesh(mesh.WatchMeshRequest(after_sequence=1))
    change = await own.read()
    assert (change.sequence, change.kind, change.slug) == (2, "node_registered", "agent.ai")
    await service.mesh.RegisterNode(registration(slug="third.ai"), metadata=(("tenant", "other"),))
    assert (await other.read()).slug == "third.ai"

    negative = service.mesh.WatchMesh(mesh.WatchMeshRequest(after_sequence=-1))
    assert (await failing(negative.read())).fields == ["after_sequence"]


def body(**fields: Any) -> Struct:
    """JSON as Envoy hands it over."""
    struct = Struct()
    struct.update(fields)
    return struct


async def test_the_json_twins_do_the_same(service: Service) -> None:
    """Registration, heartbeat, and events as lines with a comment in quiet times."""
    node = await service.rest.RegisterNodeJson(
        body(slug="agent.ai", endpoints=["h:1"], concerns=[{"name": "talk", "priority": 3}], ttlS=1.5)
    )
    assert (node.slug, node.concerns[0].priority, node.ttl_s) == ("agent.ai", 3, 1.5)
    beaten = await service.rest.HeartbeatJson(rest_service_pb2.NodeBody(node_id=node.node_id))
    assert beaten.ttl_s == 1.5

    stream = service.rest.WatchMeshEvents(mesh.WatchMeshRequest(), metadata=(("last-event-id", "1"),))
    number, data = (await stream.read()).data.decode().splitlines()[:2]
    assert number == "id: 2"
    assert json.loads(data.removeprefix("data: "))["slug"] == "agent.ai"
    assert (await stream.read()).data == b": heartbeat\n\n"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"slgu": "a"}, "slgu"),
        ({"slug": 3}, "slug"),
        ({"endpoints": "h:1"}, "endpoints"),
        ({"endpoints": [3]}, "endpoints[0]"),
        ({"concerns": ["a"]}, "concerns[0]"),
        ({"concerns": [{"name": "a", "prio": 1}]}, "concerns[0]"),
        ({"concerns": [{"name": "a", "priority": 1.5}]}, "concerns[0]"),
        ({"concerns": [{"name": "a", "priority": False}]}, "concerns[0]"),
        ({"ttl_s": "soon"}, "ttl_s"),
        ({"tls": 1}, "tls"),
    ],
)
async def test_bad_json_names_the_field(service: Service, fields: dict[str, Any], field: str) -> None:
    """Of the wrong kind, or unknown."""
    refused = await failing(service.rest.RegisterNodeJson(body(**fields)))

    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


async def test_a_heartbeat_has_an_empty_body(service: Service) -> None:
    """What is in it would be ignored, so it is refused."""
    asked = rest_service_pb2.NodeBody(node_id="x", body=body(ttl_s=5))

    assert (await failing(service.rest.HeartbeatJson(asked))).fields == ["ttl_s"]


async def test_the_python_client_makes_the_same_calls(service: Service) -> None:
    """From asyncio, and from blocking code."""
    async with AsyncClient(service.address) as client:
        node = await client.register_node("agent.ai", ["h:1"], concerns={"talk": 3}, ttl_s=5)
        assert await client.heartbeat(node.node_id) == 5
        assert [each.slug for each in (await client.list_nodes()).nodes] == ["agent.ai", "build.ai"]
        found = await client.resolve_node(concern="talk", failover=["build.ai"])
        assert [each.slug for each in found.nodes] == ["agent.ai", "build.ai"]
        async with aclosing(client.watch_mesh(after_sequence=1)) as changes:
            assert (await anext(changes)).slug == "agent.ai"
        with pytest.raises(MeshflowCallError, match="nobody"):
            await client.heartbeat("nobody")

    def blocking() -> tuple[str, float, list[str], str, str]:
        with Client(service.address) as client:
            node = client.register_node("agent.ai", ["h:2"], ttl_s=7)
            slugs = [each.slug for each in client.list_nodes().nodes]
            change = next(client.watch_mesh())
            return (
                node.endpoints[0],
                client.heartbeat(node.node_id),
                slugs,
                change.kind,
                client.resolve_node("agent.ai").nodes[0].slug,
            )

    answers = await asyncio.to_thread(blocking)
    assert answers == ("h:2", 7, ["agent.ai", "build.ai"], "node_registered", "agent.ai")


async def test_a_tenant_has_a_bounded_number_of_nodes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further one is refused; those that are there may still change, and another tenant has its own bound."""
    monkeypatch.setattr("meshflow_grpc.commands.register_node.MAX_NODES", 2)
    for slug in ("a.ai", "b.ai"):
        await service.mesh.RegisterNode(registration(slug=slug))

    refused = await failing(service.mesh.RegisterNode(registration(slug="c.ai")))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["slug"])
    await service.mesh.RegisterNode(registration(slug="b.ai", endpoints=["h:9"]))
    await service.mesh.RegisterNode(registration(slug="c.ai"), metadata=(("tenant", "other"),))


async def test_a_server_that_is_no_node_says_so() -> None:
    """Every RPC, with the variable to set."""
    async with AsyncExitStack() as stack:
        alone = await started(stack, None)
        calls = (
            alone.mesh.RegisterNode(registration()),
            alone.mesh.Heartbeat(mesh.HeartbeatRequest(node_id="x")),
            alone.mesh.ListNodes(mesh.ListNodesRequest()),
            alone.mesh.ResolveNode(mesh.ResolveNodeRequest(slug="a")),
            alone.mesh.WatchMesh(mesh.WatchMeshRequest()).read(),
            alone.rest.GetNodeKeys(rest_service_pb2.GetNodeKeysRequest()),
        )
        for call in calls:
            refused = await failing(call)
            assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MESH_NOT_CONFIGURED")
            assert "MESHFLOW_MESH_SLUG" in refused.message
