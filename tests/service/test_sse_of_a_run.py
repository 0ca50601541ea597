"""GET /v1/runs/{run_id}/events: ids, heartbeats, and resuming where the last event was."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import WatchRunRequest
from tests.fakes.providers import FakeProvider, gate
from tests.service.conftest import MakeService, Service, failing


async def blocks(service: Service, run_id: str, *, after: int = 0, header: str | None = None) -> list[str]:
    """The SSE blocks of a run, to its end."""
    metadata = (("last-event-id", header),) if header is not None else ()
    request = WatchRunRequest(run_id=run_id, after_sequence=after)
    return [b.data.decode() async for b in service.rest.WatchRunEvents(request, metadata=metadata)]


def ids(found: list[str]) -> list[int]:
    """The id lines."""
    return [int(b.split("\n")[0].removeprefix("id: ")) for b in found]


async def test_each_event_is_a_block_with_its_sequence_as_id(service: Service) -> None:
    """`id:` and one line of JSON, whatever is in the output."""
    service.world.provider.script["writer"] = ["line1\nline2\r\n\u2028end"]
    run = await service.runs.Run(RunRequest(task="x"))
    found = await blocks(service, run.run_id)

    assert ids(found) == [1, 2, 3, 4]
    for block in found:
        assert block.endswith("\n\n")
        assert len(block.rstrip("\n").split("\n")) == 2
    event: dict[str, Any] = json.loads(found[-1].split("data: ", 1)[1])
    assert event["output"] == "line1\nline2\r\n\u2028end"
    assert event["event_type"] == "run_completed"


async def test_a_reconnecting_reader_gets_exactly_the_rest(service: Service) -> None:
    """Last-Event-ID wins over the query."""
    run = await service.runs.Run(RunRequest(task="x"))

    assert ids(await blocks(service, run.run_id, after=1)) == [2, 3, 4]
    assert ids(await blocks(service, run.run_id, after=0, header="3")) == [4]
    assert await blocks(service, run.run_id, header="4") == []


@pytest.mark.parametrize("header", ["x", "-1", "1.5", "99999999999"])
async def test_a_last_event_id_that_is_not_ours_is_refused(service: Service, header: str) -> None:
    """Named, as a header."""
    run = await service.runs.Run(RunRequest(task="x"))
    call = service.rest.WatchRunEvents(WatchRunRequest(run_id=run.run_id), metadata=(("last-event-id", header),))
    error = await failing(call.read())

    assert (error.code, error.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["Last-Event-ID"])


async def test_a_quiet_stream_has_heartbeats(make_service: MakeService) -> None:
    """Comments that keep proxies from closing it, until the next event."""
    line, started, release = gate()
    service: Service = await make_service(FakeProvider({"researcher": [line]}), heartbeat_s=0.01)
    run = await service.runs.CreateRun(RunRequest(task="x"))
    await started.wait()
    call = aiter(service.rest.WatchRunEvents(WatchRunRequest(run_id=run.run_id)))
    seen = [(await anext(call)).data, (await anext(call)).data]
    release.set()
    rest = [b.data async for b in call]

    assert seen[0].startswith(b"id: 1")
    assert seen[1] == b": heartbeat\n\n"
    assert [b for b in rest if b != b": heartbeat\n\n"][-1].startswith(b"id: 4")
