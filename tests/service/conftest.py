"""A real grpc.aio server on a real channel, with the runtime in memory and fakes outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc import aio
from grpc_status import rpc_status

from meshflow_grpc._gen.meshflow.v1.approval_service_pb2_grpc import ApprovalServiceStub
from meshflow_grpc._gen.meshflow.v1.ledger_service_pb2_grpc import LedgerServiceStub
from meshflow_grpc._gen.meshflow.v1.rest_service_pb2_grpc import RestServiceStub
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc._gen.meshflow.v1.system_service_pb2_grpc import SystemServiceStub
from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.ports.mesh import MeshAccess
from meshflow_grpc.ports.tools import ToolCatalog
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator, Authenticator
from meshflow_grpc.rpc.server import GrpcServer, ServerLimits
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import World, make_world


@dataclass
class Service:
    """A server, the world behind it, and a channel to it."""

    world: World
    server: GrpcServer
    channel: aio.Channel
    port: int

    @property
    def runs(self) -> Any:
        """RunService."""
        return RunServiceStub(self.channel)

    @property
    def rest(self) -> Any:
        """RestService."""
        return RestServiceStub(self.channel)

    @property
    def ledger(self) -> Any:
        """LedgerService."""
        return LedgerServiceStub(self.channel)

    @property
    def approvals(self) -> Any:
        """ApprovalService."""
        return ApprovalServiceStub(self.channel)

    @property
    def system(self) -> Any:
        """SystemService."""
        return SystemServiceStub(self.channel)


@dataclass(frozen=True)
class Failure:
    """What a client sees of an error."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: list[str]
    retry_after_s: float | None


def failure(error: aio.AioRpcError) -> Failure:
    """Unpacks google.rpc.Status details."""
    status = rpc_status.from_call(error)
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    has_retry = False
    for detail in status.details if status else ():
        detail.Unpack(info)
        detail.Unpack(bad)
        has_retry |= detail.Unpack(retry)
    fields = [v.field for v in bad.field_violations]
    delay = retry.retry_delay.ToMilliseconds() / 1000 if has_retry else None
    return Failure(error.code(), error.details() or "", info.reason, dict(info.metadata), fields, delay)


async def failing(call: Any) -> Failure:
    """The error of a call that must fail."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return failure(caught.value)


MakeService = Callable[..., Any]


@pytest.fixture
async def make_service() -> AsyncIterator[MakeService]:
    """Starts servers; stops them in the end."""
    async with AsyncExitStack() as stack:

        async def make(
            provider: FakeProvider | None = None,
            options: RuntimeOptions | None = None,
            limits: ServerLimits | None = None,
            heartbeat_s: float = 15.0,
            tools: ToolCatalog | None = None,
            authenticator: Authenticator | None = None,
            mesh: MeshAccess | None = None,
        ) -> Service:
            world = make_world(provider, options=options, tools=tools, mesh=mesh)
            runtime = world.runtime
            server = GrpcServer(
                runtime.commands,
                runtime.state,
                authenticator or AnonymousAuthenticator(),
                limits or ServerLimits(),
                heartbeat_s=heartbeat_s,
            )
            port = await server.start("127.0.0.1:0")
            runtime.state.started = True
            await server.set_serving(serving=True)
            stack.push_async_callback(server.stop, 0)
            channel = await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
            return Service(world, server, channel, port)

        yield make


@pytest.fixture
async def service(make_service: MakeService) -> Service:
    """One server with the defaults."""
    started: Service = await make_service()
    return started
