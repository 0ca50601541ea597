"""grpc.health.v1, SystemService and reflection."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import (
    GetHealthRequest,
    GetLivenessRequest,
    GetReadinessRequest,
)
from meshflow_grpc.rpc.server import LIVENESS_NAME, READINESS_NAMES, SERVICE_NAMES, GrpcServer, ServerLimits
from tests.service.conftest import MakeService, Service, failing

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def status(service: Service, name: str) -> int:
    """What grpc.health.v1 says of a name."""
    stub = health_pb2_grpc.HealthStub(service.channel)
    return int((await stub.Check(health_pb2.HealthCheckRequest(service=name))).status)


async def test_readiness_and_liveness_have_their_own_names(service: Service) -> None:
    """Not ready is not dead."""
    assert {await status(service, name) for name in (*READINESS_NAMES, LIVENESS_NAME)} == {SERVING}
    await service.server.set_serving(serving=False)

    assert {await status(service, name) for name in READINESS_NAMES} == {NOT_SERVING}
    assert await status(service, LIVENESS_NAME) == SERVING


async def test_an_unknown_name_is_not_found(service: Service) -> None:
    """As the health protocol says."""
    error = await failing(
        health_pb2_grpc.HealthStub(service.channel).Check(health_pb2.HealthCheckRequest(service="nobody"))
    )
    assert error.code is grpc.StatusCode.NOT_FOUND


async def test_system_service_says_well_alive_and_ready(service: Service) -> None:
    """And, when draining, not ready with a hint when to look again."""
    health = await service.system.GetHealth(GetHealthRequest())
    assert (health.ok, health.status) == (True, "ok")
    assert health.version
    assert (await service.system.GetLiveness(GetLivenessRequest())).status == "alive"
    assert (await service.system.GetReadiness(GetReadinessRequest())).status == "ready"

    state = service.world.runtime.state
    state.started = False
    assert (await failing(service.system.GetReadiness(GetReadinessRequest()))).reason == "NOT_READY"
    state.draining = True
    assert (await failing(service.system.GetReadiness(GetReadinessRequest()))).reason == "DRAINING"
    assert (await service.system.GetLiveness(GetLivenessRequest())).status == "alive"


async def test_reflection_lists_and_describes_every_service(service: Service) -> None:
    """With the blocking client that grpcio ships, on a thread."""
    target = f"127.0.0.1:{service.port}"

    def look() -> tuple[set[str], set[str]]:
        with grpc.insecure_channel(target) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            file = database.FindFileContainingSymbol("meshflow.v1.RunService")
            methods = {m.name for s in file.service for m in s.method}
            return set(database.get_services()), methods

    services, methods = await asyncio.to_thread(look)
    assert services == set(SERVICE_NAMES)
    assert {"Run", "StreamRun", "WatchRun", "CheckRun"} <= methods


async def test_a_second_server_on_the_port_is_refused(make_service: MakeService) -> None:
    """Not started silently to take half the calls."""
    service: Service = await make_service()
    runtime = service.world.runtime
    second = GrpcServer(runtime.commands, runtime.state, None, ServerLimits())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="in use"):
        await second.start(f"127.0.0.1:{service.port}")


async def test_a_message_larger_than_the_limit_is_refused(make_service: MakeService) -> None:
    """By gRPC itself, before it is parsed."""
    from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest

    service: Service = await make_service(limits=ServerLimits(max_request_bytes=10_000))
    error = await failing(service.runs.Run(RunRequest(task="x" * 20_000)))

    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
