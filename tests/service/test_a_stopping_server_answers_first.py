"""A server that stops goes when each call is answered to its end, whoever else holds a stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import GetHealthRequest
from tests.fakes.providers import FakeProvider, gate

if TYPE_CHECKING:
    from tests.service.conftest import MakeService, Service

PATIENCE_S = 60.0


async def test_a_call_under_way_is_waited_for(make_service: MakeService) -> None:
    """Its answer has been sent when the wait ends."""
    line, begun, go_on = gate()
    service: Service = await make_service(FakeProvider({"researcher": [line]}))
    async with asyncio.timeout(PATIENCE_S):
        under_way = asyncio.ensure_future(service.runs.Run(RunRequest(task="x")))
        await begun.wait()
        answered = asyncio.ensure_future(service.server.until_answered())
        await service.system.GetHealth(GetHealthRequest())
        assert not answered.done()
        go_on.set()
        await answered
        await service.server.stop(PATIENCE_S)
        assert (await under_way).status == "completed"


async def test_a_stream_is_waited_for_to_its_end(make_service: MakeService) -> None:
    """The last event is on its way when the wait ends."""
    line, begun, go_on = gate()
    service: Service = await make_service(FakeProvider({"researcher": [line]}))
    async with asyncio.timeout(PATIENCE_S):
        stream = aiter(service.runs.StreamRun(RunRequest(task="x")))
        await anext(stream)
        await begun.wait()
        answered = asyncio.ensure_future(service.server.until_answered())
        go_on.set()
        await answered
        await service.server.stop(PATIENCE_S)
        assert [event.event_type async for event in stream][-1] == "run_completed"


async def test_who_watches_the_health_is_not_waited_for(make_service: MakeService) -> None:
    """Such a stream never ends by itself: it hears the last word, and the server ends it."""
    service: Service = await make_service()
    async with asyncio.timeout(PATIENCE_S):
        watching = health_pb2_grpc.HealthStub(service.channel).Watch(health_pb2.HealthCheckRequest())
        heard = aiter(watching)
        assert (await anext(heard)).status == health_pb2.HealthCheckResponse.SERVING
        await service.server.until_answered()
        await service.server.set_serving(serving=False)
        assert (await anext(heard)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await service.server.stop(PATIENCE_S)
        assert [said async for said in heard] == []
        assert await watching.code() is grpc.StatusCode.OK


async def test_a_client_that_leaves_ends_its_own_watch(make_service: MakeService) -> None:
    """Nothing is left of it when the server stops."""
    service: Service = await make_service()
    async with asyncio.timeout(PATIENCE_S):
        watching = health_pb2_grpc.HealthStub(service.channel).Watch(health_pb2.HealthCheckRequest())
        await anext(aiter(watching))
        watching.cancel()
        assert await watching.code() is grpc.StatusCode.CANCELLED
        await service.server.stop(PATIENCE_S)
