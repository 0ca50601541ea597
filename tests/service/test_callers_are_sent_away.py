"""A server that drains ends its connections while calls on them go on, and answers those that come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import GetRunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc.rpc import server as server_module
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator
from meshflow_grpc.rpc.server import GrpcServer, ServerLimits
from tests.fakes.providers import FakeProvider, gate
from tests.service.conftest import failing

if TYPE_CHECKING:
    from tests.service.conftest import MakeService, Service

GRACE_S = 60.0
# Channels to one address share a connection otherwise, the one that is ending too.
OF_ITS_OWN = (("grpc.use_local_subchannel_pool", 1),)


async def test_the_connection_ends_while_its_call_goes_on(make_service: MakeService) -> None:
    """GOAWAY, and the answer comes all the same."""
    line, begun, go_on = gate()
    service: Service = await make_service(FakeProvider({"researcher": [line]}))
    async with asyncio.timeout(GRACE_S):
        under_way = asyncio.ensure_future(service.runs.Run(RunRequest(task="x")))
        await begun.wait()
        assert service.channel.get_state() is grpc.ChannelConnectivity.READY
        await service.server.send_away(GRACE_S)
        await service.channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        assert not under_way.done()
        go_on.set()
        assert (await under_way).status == "completed"


async def test_who_comes_back_is_answered_as_before(make_service: MakeService) -> None:
    """Reads are served, new runs refused with a time to come back, probes told that it is not ready."""
    service: Service = await make_service()
    run = await service.runs.Run(RunRequest(task="x"))
    service.world.runtime.state.draining = True
    await service.server.set_serving(serving=False)
    await service.server.send_away(GRACE_S)
    async with aio.insecure_channel(f"127.0.0.1:{service.port}", OF_ITS_OWN) as channel:
        runs = RunServiceStub(channel)
        assert (await runs.GetRun(GetRunRequest(run_id=run.run_id))).status == "completed"
        refused = await failing(runs.Run(RunRequest(task="x")))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        assert refused.retry_after_s
        asked = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert asked.status == health_pb2.HealthCheckResponse.NOT_SERVING
    await service.server.stop(0)
    async with aio.insecure_channel(f"127.0.0.1:{service.port}", OF_ITS_OWN) as channel:
        gone = await failing(RunServiceStub(channel).GetRun(GetRunRequest(run_id=run.run_id)))
        assert (gone.code, gone.reason) == (grpc.StatusCode.UNAVAILABLE, "")


async def test_the_port_is_not_shared_with_another_server(make_service: MakeService) -> None:
    """The new listener is as exclusive as the first."""
    service: Service = await make_service()
    await service.server.send_away(GRACE_S)
    runtime = service.world.runtime
    second = GrpcServer(runtime.commands, runtime.state, AnonymousAuthenticator(), ServerLimits())
    with pytest.raises(OSError, match="in use"):
        await second.start(f"127.0.0.1:{service.port}")


async def test_a_worker_leaves_its_port_to_the_others(make_service: MakeService) -> None:
    """Its connections end and new ones are theirs; calls under way are answered, and who watches hears that it is not ready."""
    line, begun, go_on = gate()
    limits = ServerLimits(shares_port=True)
    service: Service = await make_service(FakeProvider({"researcher": [line]}), limits=limits)
    runtime = service.world.runtime
    other = GrpcServer(runtime.commands, runtime.state, AnonymousAuthenticator(), limits)
    async with asyncio.timeout(GRACE_S):
        watching = health_pb2_grpc.HealthStub(service.channel).Watch(health_pb2.HealthCheckRequest())
        heard = aiter(watching)
        assert (await anext(heard)).status == health_pb2.HealthCheckResponse.SERVING
        under_way = asyncio.ensure_future(service.runs.Run(RunRequest(task="x")))
        await begun.wait()
        await service.server.set_serving(serving=False)
        await service.server.send_away(GRACE_S)
        assert (await anext(heard)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await _until_nobody_listens(service.port)
        await other.start(f"127.0.0.1:{service.port}")
        await other.set_serving(serving=True)
        async with aio.insecure_channel(f"127.0.0.1:{service.port}", OF_ITS_OWN) as channel:
            asked = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert asked.status == health_pb2.HealthCheckResponse.SERVING
        go_on.set()
        assert (await under_way).status == "completed"
        await service.server.stop(GRACE_S)
        assert await watching.code() is grpc.StatusCode.OK
        await other.stop(0)


async def _until_nobody_listens(port: int) -> None:
    """The kernel closes a listener a moment after gRPC was asked to."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        writer.close()
        await asyncio.sleep(0.01)


async def test_it_waits_while_calls_still_come(make_service: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at all where none has come."""
    service: Service = await make_service()
    loop = asyncio.get_running_loop()
    with pytest.raises(StopIteration):
        service.server.until_quiet(GRACE_S).send(None)
    # However long this test is kept from going on: the last call was a moment ago.
    monkeypatch.setattr(server_module, "QUIET_S", GRACE_S)
    await service.runs.Run(RunRequest(task="x"))
    before = loop.time()
    await service.server.until_quiet(0.05)
    assert loop.time() - before >= 0.05
