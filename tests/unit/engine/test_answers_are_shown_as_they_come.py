"""token_delta events: pieces of an answer, as far as the output guard cannot refuse them any more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.domain.event import EventType, RunEvent
from meshflow_grpc.domain.run import EventView, RunRequest, RunStatus
from meshflow_grpc.engine import event_hub
from meshflow_grpc.kernel.output_windows import Windows
from meshflow_grpc.kernel.stages import output_guardrails
from meshflow_grpc.kernel.token_deltas import TokenDeltas
from meshflow_grpc.ports.provider import ModelReply, ProviderError, ProviderFault, ToolCall
from tests.fakes.providers import StreamingProvider
from tests.unit.engine.conftest import ALICE, World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterable

PROSE = " ".join(
    f"Point {word} of the plan is owned by the platform team."
    for word in ("one", "two", "three", "four", "five", "six")
)
LEAK = "Here is my full system prompt: You are a helpful bot."
AGENT = "name: w\nentry: writer\nnodes:\n  writer: {role: EXECUTOR, tools: [calculator]}\n"


async def streamed(world: World, **fields: Any) -> list[RunEvent]:
    """All events of a new run of one agent, in the full view."""
    request = RunRequest(task="x", event_view=EventView.FULL, workflow_yaml=AGENT, **fields)
    return [event async for event in world.runtime.commands.stream_run.execute(ALICE, request)]


def deltas(events: Iterable[RunEvent]) -> list[RunEvent]:
    """The token_delta events."""
    return [event for event in events if event.event_type is EventType.TOKEN_DELTA]


def known(events: Iterable[RunEvent]) -> str:
    """What a reader has put together; a gap is a mistake here."""
    text = ""
    for event in deltas(events):
        assert event.offset is not None
        assert event.offset <= len(text)
        text = text[: event.offset] + (event.output or "")
    return text


async def test_pieces_come_before_the_step_is_over_and_begin_its_output() -> None:
    """They have no sequence, name their step, and all but the last words come early."""
    events = await streamed(make_world(StreamingProvider({"writer": [PROSE]})))
    pieces, done = deltas(events), next(e for e in events if e.event_type is EventType.AGENT_COMPLETED)

    assert len(pieces) > 2
    assert {(e.sequence, e.node_id, e.step) for e in pieces} == {(None, "writer", 1)}
    assert all(events.index(e) < events.index(done) for e in pieces)
    assert PROSE.startswith(known(events))
    assert len(known(events)) > len(PROSE) - 150
    assert done.output == PROSE


async def test_of_a_refused_answer_nothing_is_shown_that_the_guardian_found() -> None:
    """The step is denied as ever; what came before the leak is all that was shown."""
    events = await streamed(make_world(StreamingProvider({"writer": [f"{PROSE} {LEAK} {PROSE}"]})))
    shown = known(events)

    assert [e.blocked_by for e in events if e.event_type is EventType.POLICY_VIOLATION] == ["output_guardrails"]
    assert shown
    assert f"{PROSE} ".startswith(shown)


async def test_an_attempt_that_failed_is_taken_back() -> None:
    """An empty piece at offset 0; what stands in the end begins the answer of the attempt that counts."""
    lost = (PROSE[:200], ProviderError(ProviderFault.OVERLOADED, "busy", retryable=True))
    second = PROSE.replace("Point", "Item")
    events = await streamed(make_world(StreamingProvider({"writer": [lost, second]})))

    back = [i for i, e in enumerate(deltas(events)) if (e.offset, e.output) == (0, "")]
    assert len(back) == 1
    assert back[0] > 0
    assert known(events)
    assert second.startswith(known(events))


async def test_what_a_model_says_before_it_calls_a_tool_is_taken_back() -> None:
    """It is no part of the output."""
    call = ToolCall("c1", "calculator", {"expression": "1+1"})
    asks = ModelReply(PROSE, "m", input_tokens=1, output_tokens=1, stop_reason="tool_use", calls=(call,))
    answer = PROSE.replace("plan", "list")
    events = await streamed(make_world(StreamingProvider({"writer": [asks, answer]})))

    assert [(e.offset, e.output) for e in deltas(events)].count((0, "")) == 1
    assert known(events)
    assert answer.startswith(known(events))


@pytest.mark.parametrize("policy", [{"enable_uncertainty": True}, {"max_output_chars": 5000}, {"scrub_pii": True}])
async def test_nothing_is_shown_early_of_an_output_that_is_judged_as_a_whole(policy: dict[str, Any]) -> None:
    """Doubt, length and masking are known at the end."""
    events = await streamed(make_world(StreamingProvider({"writer": [PROSE]})), policy=policy)

    assert deltas(events) == []
    assert events[-1].output == PROSE


async def test_nothing_is_shown_early_of_an_output_that_has_to_fit_a_schema() -> None:
    """Whether it does is known at the end."""
    world = make_world(StreamingProvider({"writer": [PROSE]}))
    request = RunRequest(
        task="x",
        event_view=EventView.FULL,
        workflow_yaml="name: w\nentry: writer\nnodes:\n  writer: {role: EXECUTOR, output_schema: {type: object}}\n",
    )
    events = [event async for event in world.runtime.commands.stream_run.execute(ALICE, request)]

    assert deltas(events) == []
    assert events[-1].status == "blocked"


def test_every_reason_to_refuse_an_output_is_thought_of() -> None:
    """A new one has to say whether pieces may be shown before it is decided: see shown_early."""
    source = Path(output_guardrails.__file__).read_text(encoding="utf-8")
    by_window, by_policy_or_node = (
        {"OUTPUT_REJECTED"},
        {"CONFIDENCE_TOO_LOW", "OUTPUT_TOO_LONG", "OUTPUT_SCHEMA_MISMATCH"},
    )

    assert set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source)) == by_window | by_policy_or_node | {"OUTPUT_MISSING"}


async def test_without_a_guardian_every_piece_is_shown_at_once() -> None:
    """Nothing can refuse its content."""
    provider = StreamingProvider({"writer": [PROSE]}, size=50)
    events = await streamed(make_world(provider), policy={"enable_guardian": False})

    assert known(events) == PROSE
    assert len(deltas(events)) == -(-len(PROSE) // 50)


async def test_the_basic_view_has_no_pieces() -> None:
    """They are for those who ask for everything."""
    world = make_world(StreamingProvider({"writer": [PROSE]}))
    request = RunRequest(task="x", workflow_yaml=AGENT)

    assert deltas([e async for e in world.runtime.commands.stream_run.execute(ALICE, request)]) == []


async def test_a_slow_reader_loses_pieces_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run does not wait for it: what it cannot hold is dropped, the offsets show that, and the output comes whole."""
    monkeypatch.setattr(event_hub, "LIVE_LIMIT", 20)
    world = make_world(StreamingProvider({"writer": [PROSE * 20]}, size=40))
    request = RunRequest(task="x", event_view=EventView.FULL, workflow_yaml=AGENT)
    reading = world.runtime.commands.stream_run.execute(ALICE, request)
    first = await anext(reading)
    run = await world.runtime.commands.wait_run.execute(ALICE, first.run_id, timeout_s=10)
    events = [first, *[event async for event in reading]]

    assert run.status is RunStatus.COMPLETED
    assert 0 < len(deltas(events)) < 20
    assert [e.sequence for e in events if e.sequence is not None] == [1, 2, 3]
    assert events[-1].output == PROSE * 20


async def test_a_window_that_cannot_be_built_does_not_stop_the_step() -> None:
    """Nothing is shown, and the answer is the answer."""
    told: list[tuple[int, str]] = []

    def build() -> Any:
        raise ValueError("an encoding of no known kind")

    deltas = TokenDeltas(lambda offset, piece: told.append((offset, piece)), Windows(build))
    await deltas.begin()
    deltas.take(PROSE)

    assert told == []


def test_a_window_that_fails_shows_nothing_more() -> None:
    """Fail closed, and the call goes on."""
    told: list[tuple[int, str]] = []

    class Failing:
        def add(self, piece: str) -> str:
            if piece == "b":
                raise ValueError("defect")
            return piece

    deltas = TokenDeltas(lambda offset, piece: told.append((offset, piece)), Windows(lambda: Failing))
    deltas._window = Failing()
    for piece in "abc":
        deltas.take(piece)

    assert told == [(0, "a")]
