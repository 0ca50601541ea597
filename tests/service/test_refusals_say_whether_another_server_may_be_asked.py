"""A proxy in front of several servers makes a call again only where the refusal says that this does no harm."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from grpc import aio

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.rpc.error_status import RETRY_ELSEWHERE
from tests.fakes.providers import FakeProvider, gate
from tests.service.conftest import failure

if TYPE_CHECKING:
    from tests.service.conftest import MakeService, Service


async def refused(call: Any) -> aio.AioRpcError:
    """The error of a call that must fail."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return caught.value


def elsewhere(error: aio.AioRpcError) -> bool:
    """What the proxy reads."""
    return (RETRY_ELSEWHERE, "1") in [(key, value) for key, value in error.trailing_metadata() or ()]


async def test_a_draining_server_began_nothing(service: Service) -> None:
    """Whatever the call was."""
    service.world.runtime.state.draining = True
    assert elsewhere(await refused(service.runs.Run(RunRequest(task="x"))))


async def test_a_server_that_is_full_or_refuses_for_good_says_nothing_of_it(make_service: MakeService) -> None:
    """Asking all of them in turn would multiply an overload; a bad request is bad everywhere."""
    service: Service = await make_service(options=RuntimeOptions(max_in_flight=0))
    assert not elsewhere(await refused(service.runs.Run(RunRequest(task="x"))))
    assert not elsewhere(await refused(service.runs.Run(RunRequest())))


@pytest.mark.parametrize("request_id", ["r", None])
async def test_a_run_that_is_handed_over_may_be_asked_for_under_its_request_id(
    make_service: MakeService, request_id: str | None
) -> None:
    """Under it the call attaches to the run; without, a second run would begin. Either way the caller learns its id."""
    line, started, _ = gate()
    service: Service = await make_service(FakeProvider({"researcher": [line]}))
    call = asyncio.ensure_future(refused(service.runs.Run(RunRequest(task="x", request_id=request_id))))
    await started.wait()
    assert await service.world.runtime.engine.drain(0) == 1
    error = await call
    assert elsewhere(error) is (request_id is not None)
    assert failure(error).reason == "DRAINING"
    assert failure(error).metadata["run_id"].startswith("run_")
