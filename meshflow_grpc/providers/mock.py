"""The offline model (``MESHFLOW_MOCK=1``): deterministic, priced, scriptable, and without any I/O."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from meshflow_grpc.ports.provider import ModelReply, Price, ProviderError
from meshflow_grpc.providers.mock_script import MAX_LATENCY_MS, UNSCRIPTED, parse_mock_script
from meshflow_grpc.providers.mock_writing import write
from meshflow_grpc.providers.token_bound import max_tokens_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshflow_grpc.ports.provider import ModelRequest
    from meshflow_grpc.providers.mock_script import MockScript

MODEL = "mock-1"
# 3 and 15 USD per million tokens, as a mid-size model costs, so that budgets can be tried offline.
PRICE = Price(input_nano_usd=3_000, output_nano_usd=15_000)
CHARS_PER_TOKEN = 4
DEFAULT_DELTAS = 8
# Confidence depends on the start and the length of the prompt, so that a large prompt is not hashed.
HASHED_CHARS = 512


class MockProvider:
    """Answers from the request alone: the same request gets the same text, tokens and confidence.

    ``latency_ms`` is how long each answer takes unless the node's ``mock.latency_ms`` says otherwise; ``sleep`` is how it waits.
    """

    def __init__(self, latency_ms: float = 0.0, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        if not 0 <= latency_ms <= MAX_LATENCY_MS:
            raise ValueError(f"latency_ms must be 0 to {MAX_LATENCY_MS}, not {latency_ms}")
        self._latency_ms = latency_ms
        self._sleep = sleep

    @property
    def name(self) -> str:
        """``mock``."""
        return "mock"

    @property
    def default_model(self) -> str:
        """``mock-1``."""
        return MODEL

    def price(self, model: str) -> Price:
        """The same price for every model name, so that a workflow made for a paid model runs here too."""
        return PRICE

    def max_input_tokens(self, text: str) -> int:
        """An upper bound of the tokens in a text, as for a paid model."""
        return max_tokens_of(text)

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """Answers after the latency; ``on_delta`` receives the text in equal parts, spread over the latency.

        Raises ProviderError where the script asks for a failure or is itself wrong. Ends at once when cancelled.
        """
        scripted = request.config.get("mock")
        script = UNSCRIPTED if scripted is None else parse_mock_script(scripted, request.agent_id)
        latency_s = (self._latency_ms if script.latency_ms is None else script.latency_ms) / 1000
        failure = script.fail
        if failure is not None and request.attempt <= failure.attempts:
            await self._wait(latency_s)
            message = f"scripted failure of attempt {request.attempt}, of the first {failure.attempts}"
            raise ProviderError(
                failure.fault, message, retryable=failure.retryable, retry_after_s=failure.retry_after_s
            )
        reply = _reply(request, script)
        if on_delta is None or not reply.text:
            await self._wait(latency_s)
        else:
            await self._stream(reply.text, script.deltas or DEFAULT_DELTAS, latency_s, on_delta)
        return reply

    async def check(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Nothing is held."""

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            await self._sleep(seconds)

    async def _stream(self, text: str, parts: int, latency_s: float, on_delta: Callable[[str], None]) -> None:
        size = -(-len(text) // parts)
        starts = range(0, len(text), size)
        for start in starts:
            await self._wait(latency_s / len(starts))
            on_delta(text[start : start + size])


def _reply(request: ModelRequest, script: MockScript) -> ModelReply:
    calls = () if request.turns else script.calls
    text, stop_reason = ("", "tool_use") if calls else (_text(request, script), "end_turn")
    limit = request.max_output_tokens * CHARS_PER_TOKEN
    if len(text) > limit:
        text, stop_reason = text[:limit], "max_tokens"
    return ModelReply(
        text,
        request.model,
        _input_tokens(request) if script.input_tokens is None else script.input_tokens,
        _output_tokens(text, calls) if script.output_tokens is None else script.output_tokens,
        stop_reason,
        calls,
        _confidence(request) if script.confidence is None else script.confidence,
    )


def _text(request: ModelRequest, script: MockScript) -> str:
    if script.output is not None:
        return script.output
    scores = script.scores
    score = scores[min(request.iteration, len(scores)) - 1] if scores else None
    text = write(request.agent_id, request.role, request.prompt, request.iteration, score)
    results = [result.content[:HASHED_CHARS] for turn in request.turns for result in turn.results]
    return f"{text}\nTools answered: {'; '.join(results)}" if results and score is None else text


def _tokens(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)


def _input_tokens(request: ModelRequest) -> int:
    chars = len(request.system) + len(request.prompt)
    for turn in request.turns:
        chars += len(turn.text) + sum(len(result.content) for result in turn.results)
    return _tokens(chars)


def _output_tokens(text: str, calls: tuple[object, ...]) -> int:
    return _tokens(len(text)) + 16 * len(calls)


def _confidence(request: ModelRequest) -> float:
    """0.80 to 0.97."""
    prompt = request.prompt
    seed = f"{request.agent_id}\n{len(prompt)}\n{prompt[:HASHED_CHARS]}".encode("utf-8", "surrogatepass")
    return (80 + zlib.crc32(seed) % 18) / 100
