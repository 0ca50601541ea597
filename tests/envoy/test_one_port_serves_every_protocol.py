"""gRPC, gRPC-Web and REST share the public port."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from meshflow_grpc._gen.meshflow.v1 import run_pb2, run_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.envoy.conftest import Proxy

GRPC_WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}


@pytest_asyncio.fixture(loop_scope="session")
async def channel(proxy: Proxy) -> AsyncIterator[grpc.aio.Channel]:
    """A native gRPC channel to the public port."""
    async with grpc.aio.insecure_channel(proxy.target) as opened:
        yield opened


async def test_native_calls_pass(proxy: Proxy, channel: grpc.aio.Channel) -> None:
    """Unary calls and streams of gRPC clients."""
    stub = run_service_pb2_grpc.RunServiceStub(channel)
    proxy.witness.proceed.set()

    answer = await stub.Run(run_pb2.RunRequest(task="hi"))
    events = [event.event_type async for event in stub.StreamRun(run_pb2.RunRequest(task="hi"))]

    assert answer.output == "hi"
    assert events == ["run_started", "run_completed"]


async def test_native_errors_keep_their_details(channel: grpc.aio.Channel) -> None:
    """The trailers of a native call are not touched."""
    stub = run_service_pb2_grpc.RunServiceStub(channel)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Run(run_pb2.RunRequest(task="fail"))

    status = rpc_status.from_call(caught.value)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_unavailable_reads_are_tried_three_times_in_all(proxy: Proxy, channel: grpc.aio.Channel) -> None:
    """The last failure is the server's own, in plain words."""
    stub = run_service_pb2_grpc.RunServiceStub(channel)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CheckRun(run_pb2.RunRequest())

    assert caught.value.details() == "the ledger cannot be reached"
    assert proxy.witness.attempts == 3


async def test_health_and_reflection_pass(channel: grpc.aio.Channel) -> None:
    """Probes and tools need no other port; reflection answers on a stream that stays open."""
    health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    call.cancel()

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert "meshflow.v1.RunService" in {service.name for service in answer.list_services_response.service}


@pytest.mark.parametrize("path", ["/other.v1.Service/Do", "/run"])
async def test_an_unknown_rpc_is_unimplemented(channel: grpc.aio.Channel, path: str) -> None:
    """A native caller gets a gRPC status in plain words, not an HTTP page or a JSON text."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(path)(b"")

    assert caught.value.code() in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNKNOWN}
    assert "{" not in (caught.value.details() or "")


async def test_grpc_web_calls_pass(http: httpx.AsyncClient) -> None:
    """Browsers' gRPC: one message frame, then the trailers in a frame of their own."""
    message = run_pb2.RunRequest(task="from a page").SerializeToString()
    frame = struct.pack(">BI", 0, len(message)) + message

    answer = await http.post("/meshflow.v1.RunService/Run", content=frame, headers=GRPC_WEB)

    size = struct.unpack(">I", answer.content[1:5])[0]
    assert answer.status_code == 200
    assert run_pb2.RunResponse.FromString(answer.content[5 : 5 + size]).output == "from a page"
    assert b"grpc-status:0" in answer.content[5 + size :]


async def test_an_allowed_origin_may_ask_first(http: httpx.AsyncClient) -> None:
    """The preflight of a configured origin is answered; any other origin gets no permission."""
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    own = await http.options("/run", headers={"origin": "https://console.example.com", **ask})
    other = await http.options("/run", headers={"origin": "https://elsewhere.example", **ask})

    assert own.status_code == 200
    assert own.headers["access-control-allow-origin"] == "https://console.example.com"
    assert "access-control-allow-origin" not in other.headers


async def test_an_allowed_origin_may_read_answers_and_errors(http: httpx.AsyncClient) -> None:
    """Pages see what gRPC-Web needs, and why a request was refused."""
    origin = {"origin": "https://console.example.com"}
    answer = await http.post("/run", json={"task": "hi"}, headers=origin)
    refusal = await http.post("/run", content=b"[", headers={"content-type": "application/json", **origin})

    assert "grpc-status" in answer.headers["access-control-expose-headers"]
    assert refusal.status_code == 400
    assert refusal.headers["access-control-allow-origin"] == "https://console.example.com"
