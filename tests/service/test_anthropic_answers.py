"""Answers of the Messages API become replies, through the real SDK against a local server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anthropic import AsyncAnthropic
from opentelemetry.sdk.trace import TracerProvider

from meshflow_grpc.ports.provider import (
    ModelRequest,
    ProviderError,
    ProviderFault,
    ToolResult,
    ToolSpec,
    Turn,
)
from meshflow_grpc.providers.anthropic import AnthropicProvider
from tests.service.anthropic_stand_in import Reply, anthropic_stand_in, text_block, thinking_block, tool_block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.service.anthropic_stand_in import AnthropicStandIn

KEY = "sk-ant-test-key-0123456789"
WEATHER = ToolSpec("weather", "Weather of a city.", {"properties": {"city": {"type": "string"}}})


@pytest.fixture
async def server() -> AsyncIterator[AnthropicStandIn]:
    """The stand-in."""
    async with anthropic_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
async def provider(server: AnthropicStandIn) -> AsyncIterator[AnthropicProvider]:
    """A provider that calls the stand-in."""
    made = AnthropicProvider(api_key=KEY, base_url=server.base_url, timeout_s=5)
    yield made
    await made.close()


def request(
    model: str = "claude-sonnet-5-5", tools: tuple[ToolSpec, ...] = (), turns: tuple[Turn, ...] = (), system: str = ""
) -> ModelRequest:
    """A request with the usual rest."""
    return ModelRequest("run_1", "writer", "EXECUTOR", model, system, "Say hello.", 256, tools=tools, turns=turns)


async def test_an_answer_is_streamed_whole(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """Text, usage, model and stop reason arrive, and the deltas add up to the text."""
    server.answer_with(Reply(blocks=[text_block("One two three.")]))
    deltas: list[str] = []

    reply = await provider.complete(request(system="Be brief."), deltas.append)

    assert (reply.text, reply.model, reply.stop_reason) == ("One two three.", "claude-sonnet-5-5", "end_turn")
    assert (reply.input_tokens, reply.output_tokens) == (12, 7)
    assert deltas == ["One", " two", " three."]
    sent = server.exchanges[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body["messages"] == [{"role": "user", "content": "Say hello."}]
    assert (sent.body["system"], sent.body["max_tokens"], sent.body["stream"]) == ("Be brief.", 256, True)


async def test_tokens_of_the_cache_count_as_input(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """Tokens written to and read from the prompt cache are part of the input."""
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 20, "output_tokens": 9}
    server.answer_with(Reply(usage=usage))

    reply = await provider.complete(request())

    assert (reply.input_tokens, reply.output_tokens) == (125, 9)


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-sonnet-5-5", {"type": "between_tools"}),
        ("claude-sonnet-5", {"type": "disabled"}),
        ("claude-opus-5", {"type": "disabled"}),
        ("claude-opus-5-5", None),
        ("claude-haiku-4-5", None),
    ],
)
async def test_thinking_is_turned_off_the_way_the_model_wants(
    server: AnthropicStandIn, provider: AnthropicProvider, model: str, thinking: dict[str, str] | None
) -> None:
    """Models that think by default are told not to, so that max_output_tokens is left for the answer."""
    server.answer_with(Reply())

    await provider.complete(request(model=model))

    assert server.exchanges[0].body.get("thinking") == thinking


async def test_tool_calls_and_results_go_round(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """A call the model asks for comes out, and its result goes back next to the call."""
    call = tool_block("toolu_1", "weather", {"city": "Zürich"})
    server.answer_with(
        Reply(blocks=[text_block("Let me look."), call], stop_reason="tool_use"), Reply(blocks=[text_block("Rain.")])
    )

    first = await provider.complete(request(tools=(WEATHER,)))
    results = (ToolResult("toolu_1", "no station", is_error=True),)
    turn = Turn(first.text, first.calls, results, first.opaque)
    second = await provider.complete(request(tools=(WEATHER,), turns=(turn,)))

    assert first.stop_reason == "tool_use"
    assert [(c.call_id, c.name, c.arguments) for c in first.calls] == [("toolu_1", "weather", {"city": "Zürich"})]
    assert second.text == "Rain."
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    body = server.exchanges[1].body
    assert body["tools"] == [{"name": "weather", "description": "Weather of a city.", "input_schema": schema}]
    answered = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no station", "is_error": True}
    assert body["messages"][1:] == [
        {"role": "assistant", "content": [text_block("Let me look."), call]},
        {"role": "user", "content": [answered]},
    ]


async def test_thoughts_between_tools_go_back_unchanged(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """Signed thinking blocks are handed back in their place, since the API checks them."""
    said = [thinking_block("Look first.", "sig-1"), tool_block("toolu_1", "weather", {"city": "Bern"})]
    server.answer_with(Reply(blocks=said, stop_reason="tool_use"), Reply())
    deltas: list[str] = []

    first = await provider.complete(request(tools=(WEATHER,)), deltas.append)
    turn = Turn(first.text, first.calls, (ToolResult("toolu_1", "sun"),), first.opaque)
    await provider.complete(request(tools=(WEATHER,), turns=(turn,)))

    assert (first.text, deltas) == ("", [])
    assert server.exchanges[1].body["messages"][1]["content"] == said


async def test_a_turn_without_its_results_is_refused(provider: AnthropicProvider, server: AnthropicStandIn) -> None:
    """A tool call without a result is a mistake of the caller and never sent."""
    server.answer_with(Reply(blocks=[tool_block("toolu_1", "weather", {})], stop_reason="tool_use"))
    first = await provider.complete(request(tools=(WEATHER,)))

    with pytest.raises(ProviderError, match="turn 1 needs one result") as caught:
        await provider.complete(request(turns=(Turn("", first.calls, ()),)))

    assert (caught.value.fault, caught.value.retryable) == (ProviderFault.INVALID, False)
    assert len(server.exchanges) == 1


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
async def test_an_answer_at_its_limit_says_so(
    server: AnthropicStandIn, provider: AnthropicProvider, reason: str
) -> None:
    """An answer that ended at a token limit has stop reason max_tokens."""
    server.answer_with(Reply(stop_reason=reason))

    assert (await provider.complete(request())).stop_reason == "max_tokens"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(blocks=[], stop_reason="refusal"), "no answer .*refusal"),
        (Reply(blocks=[thinking_block("hm", "s")], stop_reason="max_tokens"), "max_output_tokens"),
        (Reply(blocks=[tool_block("t", "weather", '{"city": "Be')], stop_reason="max_tokens"), "cut short"),  # type: ignore[arg-type] # broken on purpose
    ],
    ids=["refused", "thought too long", "call cut"],
)
async def test_what_is_no_answer_is_an_error(
    server: AnthropicStandIn, provider: AnthropicProvider, reply: Reply, words: str
) -> None:
    """A refusal, an answer of thoughts alone and a cut tool call fail for good instead of passing as an answer."""
    server.answer_with(reply)

    with pytest.raises(ProviderError, match=words) as caught:
        await provider.complete(request())

    assert (caught.value.fault, caught.value.retryable) == (ProviderFault.FAILED, False)


async def test_an_error_of_the_listener_is_not_taken_for_the_providers(
    server: AnthropicStandIn, provider: AnthropicProvider
) -> None:
    """What on_delta raises comes out as it is."""
    server.answer_with(Reply())

    def listener(_: str) -> None:
        raise ValueError("listener broke")

    with pytest.raises(ValueError, match="listener broke"):
        await provider.complete(request(), listener)


async def test_the_stand_in_answers_without_a_stream_too(server: AnthropicStandIn) -> None:
    """A plain call of the SDK gets one JSON message."""
    server.answer_with(Reply(blocks=[text_block("Hi.")]))

    async with AsyncAnthropic(api_key=KEY, base_url=server.base_url, max_retries=0) as client:
        message = await client.messages.create(
            model="claude-sonnet-5-5", max_tokens=8, messages=[{"role": "user", "content": "Hi"}]
        )

    assert [block.type for block in message.content] == ["text"]
    assert message.usage.output_tokens == 7


async def test_the_provider_gets_the_trace_of_the_call(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """As a W3C traceparent header; without a span there is none."""
    server.answer_with(Reply(), Reply())
    await provider.complete(request())
    with TracerProvider().get_tracer("test").start_as_current_span("chat") as span:
        await provider.complete(request())

    without, within = (exchange.headers for exchange in server.exchanges)
    assert "traceparent" not in without
    assert within["traceparent"].split("-")[1] == format(span.get_span_context().trace_id, "032x")
