"""token_delta events through StreamRun, WatchRun, both SSE faces, and Anthropic's own SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import WatchRunRequest
from meshflow_grpc.providers.anthropic import AnthropicProvider
from tests.fakes.providers import StreamingProvider, gate
from tests.service.anthropic_stand_in import Reply, anthropic_stand_in, text_block
from tests.unit.engine.conftest import make_world
from tests.unit.engine.test_answers_are_shown_as_they_come import AGENT, PROSE, known, streamed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.service.conftest import MakeService


def put_together(events: list[Any]) -> str:
    """What a reader that follows the offsets has in the end; ``events`` as messages or as JSON."""
    text = ""
    for event in events:
        offset, piece = (
            (event.get("offset"), event.get("output")) if isinstance(event, dict) else (event.offset, event.output)
        )
        text = text[:offset] + piece
    return text


def shown(events: list[Any]) -> list[Any]:
    """The token_delta events."""
    return [e for e in events if (e["event_type"] if isinstance(e, dict) else e.event_type) == "token_delta"]


async def lines(blocks: AsyncIterator[Any]) -> list[dict[str, Any]]:
    """The events in the data lines of Server-Sent Events."""
    found = "".join([block.data.decode() async for block in blocks])
    return [json.loads(line.removeprefix("data: ")) for line in found.split("\n") if line.startswith("data: ")]


async def test_stream_run_sends_them_in_the_full_view(make_service: MakeService) -> None:
    """Offset and piece are on the wire, a sequence is not."""
    service = await make_service(StreamingProvider({"writer": [PROSE]}))
    request = RunRequest(task="x", workflow_yaml=AGENT, event_view="full")
    pieces = shown([event async for event in service.runs.StreamRun(request)])

    assert len(pieces) > 2
    assert pieces[0].HasField("offset")
    assert not pieces[0].HasField("sequence")
    assert PROSE.startswith(put_together(pieces))


async def test_the_json_stream_sends_them_too(make_service: MakeService) -> None:
    """An offset of 0 is written out."""
    service = await make_service(StreamingProvider({"writer": [PROSE]}))
    body = Struct()
    body.update({"task": "x", "workflow_yaml": AGENT, "event_view": "full"})
    pieces = shown([event async for event in service.rest.StreamRunJson(body)])

    assert pieces[0].HasField("offset")
    assert PROSE.startswith(put_together(pieces))


async def test_watchers_of_a_run_get_them_live_and_not_again(make_service: MakeService) -> None:
    """Those who watch while the agent answers see pieces as SSE without ids; those who come later see the output only."""
    line, started, release = gate()
    service = await make_service(StreamingProvider({"researcher": [line], "writer": [PROSE]}))
    run = await service.runs.CreateRun(RunRequest(task="x"))
    await started.wait()
    request = WatchRunRequest(run_id=run.run_id, event_view="full")
    call = aiter(service.rest.WatchRunEvents(request))
    first = await anext(call)
    release.set()
    events = await lines(call)
    pieces = shown(events)

    assert b"run_started" in first.data
    assert pieces
    assert all("sequence" not in piece for piece in pieces)
    assert PROSE.startswith(put_together(pieces))
    assert shown([event async for event in service.runs.WatchRun(request)]) == []


async def test_an_answer_of_anthropics_sdk_is_shown_as_it_comes() -> None:
    """The stand-in streams text blocks; what the events say begins the output."""
    async with anthropic_stand_in() as server:
        server.answer_with(Reply(blocks=[text_block(PROSE)]))
        provider = AnthropicProvider(api_key="sk-ant-test-key-0123456789", base_url=server.base_url, timeout_s=5)
        events = await streamed(make_world(provider))  # type: ignore[arg-type] # any ModelProvider will do
        await provider.close()

    assert events[-1].output == PROSE
    assert known(events)
    assert PROSE.startswith(known(events))
