"""Bytes that are no request, to every RPC, without Envoy: typed refusals, never INTERNAL or UNKNOWN, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1.rest_service_pb2 import RunBody
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import GetRunRequest, ListRunsRequest, WaitRunRequest
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.rpc.authorization import ROLES
from meshflow_grpc.rpc.server import SERVICE_NAMES
from tests.service.conftest import MakeService, Service, failing

DEFECTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
TEXT = b"\x0a"  # field 1, length-delimited
BAD_TEXT = TEXT + b"\x02\xff\xfe"
BREAKS_OFF = TEXT + b"\x7f" + b"abc"


class Everyone:
    """Lets everybody do everything, so that what is refused is refused for what it is."""

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator."""
        return Principal("anybody", "default", frozenset(ROLES), "none")


@pytest.fixture
async def service(make_service: MakeService) -> Service:
    """A server without roles."""
    started: Service = await make_service(authenticator=Everyone())
    return started


def methods() -> list[Any]:
    """Descriptors of all our RPCs."""
    pool = descriptor_pool.Default()
    services = [pool.FindServiceByName(name) for name in SERVICE_NAMES if name.startswith("meshflow.")]
    return [method for service in services for method in service.methods]


async def send(service: Service, method: Any, data: bytes) -> Any:
    """Sends bytes as they are; returns the first answer."""
    make = service.channel.unary_stream if method.server_streaming else service.channel.unary_unary
    call = make(f"/{method.containing_service.full_name}/{method.name}", None, None)(data, timeout=60)
    return await (call.read() if method.server_streaming else call)


async def test_bytes_that_break_off_are_refused_by_every_rpc(service: Service) -> None:
    """INVALID_ARGUMENT with the reason, nothing of our exceptions' texts."""
    for method in methods():
        error = await failing(send(service, method, BREAKS_OFF))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), method.full_name
        assert error.fields == ["request"]
        assert "Error" not in error.message


async def test_text_that_is_not_utf8_is_refused_by_every_rpc_that_takes_text(service: Service) -> None:
    """As the path of a REST call may hold it."""
    texts = [method for method in methods() if (first := method.input_type.fields_by_number.get(1)) and first.type == 9]
    assert len(texts) >= 15
    for method in texts:
        error = await failing(send(service, method, BAD_TEXT))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"), method.full_name


async def test_random_bytes_are_no_defect(service: Service) -> None:
    """Some of them are requests; none is answered with INTERNAL or UNKNOWN."""
    source = random.Random(20261121)
    for method in methods():
        if method.name == "GetReadiness":
            continue
        for _ in range(20):
            try:
                await send(service, method, source.randbytes(source.randrange(1, 60)))
            except grpc.aio.AioRpcError as error:
                assert error.code() not in DEFECTS, (method.full_name, error.details())


def nested(depth: int) -> bytes:
    """A Struct that is nested so deep, as bytes: the library would not build it."""
    value = b"\x1a\x01x"
    for _ in range(depth):
        entry = b"\x0a\x01a\x12" + _sized(value)
        value = b"\x2a" + _sized(b"\x0a" + _sized(entry))
    return b"\x0a" + _sized(b"\x0a\x05input\x12" + _sized(value))


def _sized(data: bytes) -> bytes:
    size, prefix = len(data), b""
    while size > 127:
        prefix, size = prefix + bytes([size & 127 | 128]), size >> 7
    return prefix + bytes([size]) + data


@pytest.mark.parametrize("depth", [100, 1000, 10_000])
async def test_a_request_nested_ten_thousand_deep_is_refused(service: Service, depth: int) -> None:
    """By the twins of the JSON face and by the typed RPC; the server answers the next one."""
    deep = nested(depth)
    for method in [method for method in methods() if method.input_type.full_name == "google.protobuf.Struct"]:
        error = await failing(send(service, method, deep))
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT, (method.full_name, error)
    assert (await service.runs.Run(RunRequest(task="x"))).status == "completed"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 2.0**63, -1.0])
async def test_numbers_out_of_range_are_refused_by_name(service: Service, number: float) -> None:
    """In a policy, in the JSON twin, in a timeout: never a crash, never taken as something else."""
    request = RunRequest(task="x")
    request.policy.timeout_s = number
    body = Struct()
    body.update({"task": "x", "policy": {"budget_usd": number, "max_steps": number}})
    if number != 5e-324:
        assert (await failing(service.runs.Run(request))).fields == ["policy.timeout_s"]
        wait = WaitRunRequest(run_id="run_x", timeout_s=number)
        assert (await failing(service.runs.WaitRun(wait))).fields == ["timeout_s"]
    assert "policy.max_steps" in (await failing(service.rest.RunJson(body))).fields
    erase = RunBody(run_id="run_x")
    erase.body.update({"basis": number})
    assert (await failing(service.rest.EraseRunJson(erase))).fields == ["basis"]


@pytest.mark.parametrize("size", [-1, 1001, 2**31 - 1, -(2**31)])
async def test_page_sizes_out_of_range_are_refused(service: Service, size: int) -> None:
    """By name."""
    assert (await failing(service.runs.ListRuns(ListRunsRequest(page_size=size)))).fields == ["page_size"]


@pytest.mark.parametrize(
    "run_id", ["", "x" * 100_000, "\x00", "../..", "run_" + "9" * 40, "ru\ud7ffn", "' OR 1=1 --", "%s%n"]
)
async def test_strange_names_are_not_found(service: Service, run_id: str) -> None:
    """NOT_FOUND or INVALID_ARGUMENT, whatever the name holds."""
    error = await failing(service.runs.GetRun(GetRunRequest(run_id=run_id)))

    assert error.code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


async def test_metadata_bombs_are_refused(service: Service) -> None:
    """One huge value, or thousands of small ones: beyond the limit the call fails, and the connection is good for the next."""
    huge, many = (("x-a", "v" * 100_000),), tuple((f"x-{number}", "v" * 20) for number in range(3000))
    for metadata in (huge, many):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.runs.ListRuns(ListRunsRequest(), metadata=metadata, timeout=60)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await service.runs.ListRuns(ListRunsRequest()) is not None


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 4096, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096, b"\x16\x03\x01"],
    ids=["http1", "zeros", "garbage frames", "tls"],
)
async def test_connections_that_speak_no_grpc_are_closed(service: Service, data: bytes) -> None:
    """And others are served meanwhile."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
    writer.close()
    assert (await service.runs.Run(RunRequest(task="x"))).status == "completed"
