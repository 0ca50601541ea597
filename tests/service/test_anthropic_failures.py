"""Every way a call of the Messages API can fail becomes a typed, safe error; cancelling reaches the wire."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.ports.provider import ModelRequest, ProviderError, ProviderFault
from meshflow_grpc.providers.anthropic import AnthropicProvider
from tests.service.anthropic_stand_in import Reply, anthropic_stand_in, failure, stream_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.service.anthropic_stand_in import AnthropicStandIn

KEY = "sk-ant-test-key-0123456789"
REQUEST = ModelRequest("run_1", "writer", "EXECUTOR", "claude-sonnet-5-5", "", "Say hello.", 256)


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


async def failed(provider: AnthropicProvider) -> ProviderError:
    """The error of a call that must fail."""
    with pytest.raises(ProviderError) as caught:
        await provider.complete(REQUEST)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "fault", "retryable"),
    [
        (400, "invalid_request_error", ProviderFault.INVALID, False),
        (401, "authentication_error", ProviderFault.AUTHENTICATION, False),
        (402, "billing_error", ProviderFault.AUTHENTICATION, False),
        (403, "permission_error", ProviderFault.AUTHENTICATION, False),
        (404, "not_found_error", ProviderFault.INVALID, False),
        (413, "request_too_large", ProviderFault.INVALID, False),
        (429, "rate_limit_error", ProviderFault.RATE_LIMITED, True),
        (500, "api_error", ProviderFault.FAILED, True),
        (504, "timeout_error", ProviderFault.TIMEOUT, True),
        (529, "overloaded_error", ProviderFault.OVERLOADED, True),
        (422, "a_kind_of_tomorrow", ProviderFault.INVALID, False),
        (418, "a_kind_of_tomorrow", ProviderFault.INVALID, False),
        (502, "a_kind_of_tomorrow", ProviderFault.FAILED, True),
        (503, "a_kind_of_tomorrow", ProviderFault.OVERLOADED, True),
    ],
)
async def test_each_status_is_a_fault(
    server: AnthropicStandIn, provider: AnthropicProvider, status: int, kind: str, fault: ProviderFault, retryable: bool
) -> None:
    """Kind and status decide the fault and whether a retry can help; the provider itself never retries."""
    server.answer_with(failure(status, kind))

    error = await failed(provider)

    assert (error.fault, error.retryable) == (fault, retryable)
    assert error.message.startswith(kind)
    assert len(server.exchanges) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7.5"}, 7.5),
        ({"retry_after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry_after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
async def test_the_pause_asked_for_is_passed_on(
    server: AnthropicStandIn, provider: AnthropicProvider, headers: dict[str, str], seconds: float | None
) -> None:
    """Retry-after in seconds or as a date is given to who retries."""
    server.answer_with(failure(429, "rate_limit_error", **headers))

    assert (await failed(provider)).retry_after_s == seconds


async def test_a_provider_that_forbids_retries_is_heard(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """With x-should-retry: false even an overload is final."""
    server.answer_with(failure(529, "overloaded_error", x_should_retry="false"))

    assert (await failed(provider)).retryable is False


async def test_messages_hold_no_key(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """A key that the provider repeats in its message is masked, as is the key in use."""
    other = "sk-ant-someone-elses-key"
    server.answer_with(
        failure(400, "invalid_request_error", f"bad key {KEY}, or\n{other}? " + "x" * 1000),
        failure(401, "authentication_error", f"invalid x-api-key {KEY}"),
    )

    first, second = await failed(provider), await failed(provider)

    assert first.message.startswith("invalid_request_error: bad key [key], or [key]?")
    assert len(first.message) < 400
    assert KEY not in second.message
    assert "ANTHROPIC_API_KEY" in second.message


@pytest.mark.parametrize(
    "reply",
    [
        Reply(cut_after=4),
        Reply(end_after=4),
        Reply(end_after=0),
        Reply(stop_reason=None),
        Reply(body=b'{"type": "mess'),
        Reply(inject_after=3, inject=b"event: content_block_delta\ndata: {broken\n\n"),
        Reply(inject_after=3, inject=b'event: content_block_delta\ndata: {"type": "content_block_delta"}\n\n'),
        Reply(inject_after=3, inject=b'event: message_delta\ndata: {"type": "message_delta", "delta": 1}\n\n'),
        stream_error(3, "overloaded_error"),
        Reply(status=502, body=b"<html>bad gateway</html>"),
    ],
    ids=["cut", "ended early", "empty", "no reason", "no stream", "bad json", "no delta", "odd delta", "error", "html"],
)
async def test_a_broken_answer_is_never_a_short_one(
    server: AnthropicStandIn, provider: AnthropicProvider, reply: Reply
) -> None:
    """Whatever keeps an answer from coming whole is a failure that may be billed and may be tried again."""
    server.answer_with(reply)

    error = await failed(provider)

    assert (error.fault, error.retryable) == (ProviderFault.FAILED, True)


async def test_an_error_before_the_answer_keeps_its_fault(
    server: AnthropicStandIn, provider: AnthropicProvider
) -> None:
    """An overload told in the stream before the answer began is an overload, not a broken answer."""
    server.answer_with(stream_error(0, "overloaded_error"))

    error = await failed(provider)

    assert (error.fault, error.message) == (ProviderFault.OVERLOADED, "overloaded_error: in the stream")


async def test_events_of_tomorrow_are_passed_over(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """An event kind that is unknown does not break an answer."""
    server.answer_with(Reply(inject_after=3, inject=b'event: novelty\ndata: {"type": "novelty"}\n\n'))

    assert (await provider.complete(REQUEST)).text == "Hello from the model."


@pytest.mark.parametrize("reply", [Reply(silent=True), Reply(stall_after=3)], ids=["before", "during"])
async def test_silence_is_a_timeout(server: AnthropicStandIn, reply: Reply) -> None:
    """A provider silent for longer than allowed, before or during its answer, is a retryable time-out."""
    server.answer_with(reply)
    provider = AnthropicProvider(api_key=KEY, base_url=server.base_url, timeout_s=0.05)

    error = await failed(provider)
    await provider.close()

    assert (error.fault, error.retryable) == (ProviderFault.TIMEOUT, True)


async def test_a_closed_port_is_unreachable() -> None:
    """A connection that cannot be made is UNREACHABLE: nothing was sent, nothing is billed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        provider = AnthropicProvider(api_key=KEY, base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        error = await failed(provider)
        await provider.close()

    assert (error.fault, error.retryable) == (ProviderFault.UNREACHABLE, True)


@pytest.mark.parametrize("reply", [Reply(silent=True), Reply(stall_after=4)], ids=["before", "during"])
async def test_cancelling_closes_the_connection_at_once(
    server: AnthropicStandIn, provider: AnthropicProvider, reply: Reply
) -> None:
    """The server, which would never end, sees the connection close, so that it stops generating."""
    server.answer_with(reply)
    call = asyncio.create_task(provider.complete(REQUEST))
    exchange = await server.next_exchange()
    await exchange.answering.wait()

    call.cancel()
    async with asyncio.timeout(60):
        await exchange.client_gone.wait()

    with pytest.raises(asyncio.CancelledError):
        await call


async def test_the_next_call_works_after_a_cancelled_one(server: AnthropicStandIn, provider: AnthropicProvider) -> None:
    """A cancelled call leaves nothing behind that a later one could stumble over."""
    server.answer_with(Reply(stall_after=4), Reply())
    call = asyncio.create_task(provider.complete(REQUEST))
    await (await server.next_exchange()).answering.wait()
    call.cancel()
    await asyncio.wait([call])

    assert (await provider.complete(REQUEST)).text == "Hello from the model."
