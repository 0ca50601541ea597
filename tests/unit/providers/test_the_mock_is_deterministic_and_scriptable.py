"""The offline model answers the same way each time, like its role would, and does what a workflow scripts."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.ports.provider import ModelRequest, ProviderError, ProviderFault, ToolResult, Turn
from meshflow_grpc.providers.mock import MODEL, MockProvider

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue

TASK = "Task:\nCompare tidal and wind power.\n\nResult of researcher:\nTides are regular.\nMore."


class SleepRecord:
    """A sleep that takes no time and keeps what was asked of it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Keeps the seconds."""
        self.slept.append(seconds)


def request(
    agent_id: str = "writer", role: str = "EXECUTOR", prompt: str = TASK, mock: JsonValue = None, **changes: int
) -> ModelRequest:
    """A request, with a script if one is given."""
    config = {} if mock is None else {"mock": mock}
    made = ModelRequest("run_1", agent_id, role, MODEL, "Be brief.", prompt, 1024, config=config)
    return made._replace(**changes)  # type: ignore[arg-type] # whole-number fields only


@given(prompt=st.text(), agent_id=st.sampled_from(["researcher", "quality_gate", "x"]))
async def test_the_same_request_gets_the_same_answer(prompt: str, agent_id: str) -> None:
    """Two providers answer alike, within the bound the budget was reserved with."""
    asked = request(agent_id=agent_id, prompt=prompt)

    first, second = await MockProvider().complete(asked), await MockProvider(latency_ms=0).complete(asked)

    assert first == second
    assert first.input_tokens <= MockProvider().max_input_tokens(asked.system) + MockProvider().max_input_tokens(prompt)
    assert 0 < first.output_tokens <= asked.max_output_tokens
    assert first.confidence is not None
    assert 0.8 <= first.confidence <= 0.97


async def test_tokens_follow_the_length_of_the_texts() -> None:
    """Four characters to a token, in and out, and every model has a price."""
    mock = MockProvider()
    reply = await mock.complete(request(prompt="x" * 4000))

    assert reply.input_tokens == (4000 + len("Be brief.") + 3) // 4
    assert reply.output_tokens == (len(reply.text) + 3) // 4
    assert mock.price("any-model").input_nano_usd > 0
    assert mock.price("any-model").output_nano_usd > 0
    assert (mock.name, mock.default_model) == ("mock", "mock-1")


@pytest.mark.parametrize(
    ("agent_id", "role", "start"),
    [
        ("researcher", "RESEARCHER", "Findings on: Compare tidal and wind power\n"),
        ("r1", "RESEARCHER", "Findings on: "),
        ("analyst_a", "EXECUTOR", "Analysis by analyst_a: Compare tidal and wind power\n"),
        ("writer", "EXECUTOR", "Compare tidal and wind power: "),
        ("anything", "", "Compare tidal and wind power: "),
        ("publisher", "ORCHESTRATOR", "Published: Compare tidal and wind power\n\nTides are regular."),
    ],
)
async def test_a_role_writes_what_it_would(agent_id: str, role: str, start: str) -> None:
    """The text fits the agent, is about the task and names the work it rests on."""
    reply = await MockProvider().complete(request(agent_id, role))

    assert reply.text.startswith(start)
    assert "researcher" in reply.text or agent_id == "publisher"


@pytest.mark.parametrize(
    ("prompt", "topic"),
    [
        ('{"topic": "solar energy"}', "solar energy"),
        ('Task:\n{"depth": 3, "about": "wind"}\n\nResult of a:\nb', "wind"),
        ("{not json}", "{not json}"),
        ("[1]", "[1]"),
        ("word " * 100, "word word"),
        ("", ""),
    ],
)
async def test_the_topic_is_found_in_any_prompt(prompt: str, topic: str) -> None:
    """Plain, structured, broken, long and empty tasks all have a topic."""
    reply = await MockProvider().complete(request("researcher", prompt=prompt))

    assert reply.text.startswith(f"Findings on: {topic}")
    assert len(reply.text.partition("\n")[0]) < 200


async def test_a_critic_scores_low_first_and_high_after_revision() -> None:
    """Its JSON lets a quality loop run once and then pass; scripted scores go by iteration, the last one lasting."""
    mock = MockProvider()

    async def score(iteration: int, script: JsonValue = None) -> float:
        reply = await mock.complete(request("quality_gate", "CRITIC", mock=script, iteration=iteration))
        document = json.loads(reply.text)
        assert isinstance(document["feedback"], str)
        return float(document["quality_score"])

    assert [await score(n) for n in (1, 2, 3)] == [0.72, 0.91, 0.91]
    assert [await score(n, {"scores": [0.1, 0.5]}) for n in (1, 2, 3)] == [0.1, 0.5, 0.5]


async def test_scripted_values_replace_the_usual_ones() -> None:
    """Output, confidence and tokens are what the script says; a mapping is given as JSON."""
    script: JsonValue = {"output": "Done.", "confidence": 0.25, "tokens": {"input": 9, "output": 3}}
    reply = await MockProvider().complete(request(mock=script))
    structured = await MockProvider().complete(request(mock={"output": {"ok": True}}))

    assert (reply.text, reply.confidence, reply.input_tokens, reply.output_tokens) == ("Done.", 0.25, 9, 3)
    assert structured.text == '{"ok": true}'


async def test_scripted_attempts_fail_and_the_next_one_works() -> None:
    """The first attempts fail with the fault named, later ones answer; latency comes first."""
    sleep = SleepRecord()
    mock = MockProvider(latency_ms=500, sleep=sleep)
    script: JsonValue = {"fail": {"attempts": 2, "fault": "rate_limited", "retry_after_s": 3}, "output": "ok"}

    for attempt in (1, 2):
        with pytest.raises(ProviderError, match=f"failure of attempt {attempt}") as caught:
            await mock.complete(request(mock=script, attempt=attempt))
        assert (caught.value.fault, caught.value.retryable, caught.value.retry_after_s) == (
            ProviderFault.RATE_LIMITED,
            True,
            3.0,
        )
    assert (await mock.complete(request(mock=script, attempt=3))).text == "ok"
    assert sleep.slept == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("script", "fault", "retryable"),
    [
        (1, ProviderFault.OVERLOADED, True),
        ({"fault": "authentication"}, ProviderFault.AUTHENTICATION, False),
        ({"fault": "invalid"}, ProviderFault.INVALID, False),
        ({"fault": "timeout", "retryable": False}, ProviderFault.TIMEOUT, False),
    ],
)
async def test_a_fault_is_retryable_as_the_real_one(script: JsonValue, fault: ProviderFault, retryable: bool) -> None:
    """A scripted fault says the same about retries as the real one, unless told otherwise."""
    with pytest.raises(ProviderError) as caught:
        await MockProvider().complete(request(mock={"fail": script}))

    assert (caught.value.fault, caught.value.retryable) == (fault, retryable)


async def test_scripted_tool_calls_come_once() -> None:
    """The first answer asks for the tools, the one after their results is text that holds them."""
    script: JsonValue = {"tool_calls": [{"name": "weather", "arguments": {"city": "Bern"}}, {"name": "time"}]}
    asked = request(mock=script)

    first = await MockProvider().complete(asked)
    results = tuple(ToolResult(call.call_id, f"{call.name}: fine") for call in first.calls)
    second = await MockProvider().complete(asked._replace(turns=(Turn(first.text, first.calls, results),)))

    assert [(call.name, call.arguments) for call in first.calls] == [("weather", {"city": "Bern"}), ("time", {})]
    assert (first.text, first.stop_reason, second.stop_reason) == ("", "tool_use", "end_turn")
    assert second.text.endswith("Tools answered: weather: fine; time: fine")
    assert second.calls == ()


async def test_deltas_add_up_and_share_the_latency() -> None:
    """The parts make up the text, and waiting for all of them takes the latency."""
    sleep = SleepRecord()
    deltas: list[str] = []

    script: JsonValue = {"deltas": 4, "latency_ms": 200, "output": "abcdefghij"}
    reply = await MockProvider(latency_ms=9, sleep=sleep).complete(request(mock=script), deltas.append)

    assert (deltas, reply.text) == (["abc", "def", "ghi", "j"], "abcdefghij")
    assert sleep.slept == [0.05] * 4


async def test_an_answer_ends_at_the_limit_of_its_tokens() -> None:
    """A text longer than max_output_tokens is cut and says so."""
    reply = await MockProvider().complete(request(mock={"output": "x" * 100}, max_output_tokens=10))

    assert (len(reply.text), reply.output_tokens, reply.stop_reason) == (40, 10, "max_tokens")


async def test_cancelling_ends_a_wait_at_once() -> None:
    """A call that would take an hour ends when it is cancelled."""
    call = asyncio.create_task(MockProvider().complete(request(mock={"latency_ms": 3_600_000})))
    await asyncio.sleep(0)

    call.cancel()

    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await call


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("fast", "nodes.writer.mock: must be a mapping"),
        ({"latency": 5}, "nodes.writer.mock: unknown field 'latency'; did you mean 'latency_ms'?"),
        ({"latency_ms": -1}, "nodes.writer.mock.latency_ms: must be a number from 0 to"),
        ({"latency_ms": True}, "latency_ms: must be a number"),
        ({"confidence": 1.5}, "confidence: must be a number from 0 to 1"),
        ({"confidence": float("nan")}, "confidence: must be a number"),
        ({"fail": 0}, "fail: must be a whole number from 1"),
        ({"fail": True}, "fail: must be a whole number from 1"),
        ({"fail": {"fault": "overload"}}, "fail: unknown fault 'overload'; did you mean 'overloaded'?"),
        ({"fail": {"times": 2}}, "fail: unknown field 'times'"),
        ({"fail": {"retryable": "no"}}, "fail: retryable must be true or false"),
        ({"output": 3}, "output: must be a text"),
        ({"scores": []}, "scores: must be a list of at least one"),
        ({"scores": [2]}, "scores: must be a number from 0 to 1"),
        ({"tool_calls": "weather"}, "tool_calls: must be a list"),
        ({"tool_calls": [{"arguments": {}}]}, "tool_calls: element 1 needs a name"),
        ({"tool_calls": [{"name": "a", "arguments": 3}]}, "tool_calls: element 1 needs a name"),
        ({"tokens": {"total": 3}}, "tokens: unknown field 'total'"),
        ({"tokens": {"input": 1.5}}, "tokens: must be a whole number"),
        ({"deltas": 0}, "deltas: must be a whole number from 1"),
    ],
)
async def test_a_wrong_script_is_refused(script: JsonValue, words: str) -> None:
    """The error names the node, the field and the rule."""
    with pytest.raises(ProviderError, match=re.escape(words)) as caught:
        await MockProvider().complete(request(mock=script))

    assert (caught.value.fault, caught.value.retryable) == (ProviderFault.INVALID, False)


def test_a_wrong_default_latency_is_refused() -> None:
    """A latency that cannot be is refused when the service starts."""
    with pytest.raises(ValueError, match="latency_ms must be 0 to"):
        MockProvider(latency_ms=-1)
