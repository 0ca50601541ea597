"""Claude through Anthropic's own SDK, always streamed, so that cancellation closes the connection and a cut answer shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
from anthropic import AnthropicError, AsyncAnthropic, omit
from opentelemetry.propagate import inject

from meshflow_grpc.ports.provider import ProviderError, ProviderFault
from meshflow_grpc.providers.anthropic_answer import Answer
from meshflow_grpc.providers.anthropic_errors import provider_error
from meshflow_grpc.providers.anthropic_request import message_params, tool_params
from meshflow_grpc.providers.anthropic_thinking import thinking_param
from meshflow_grpc.providers.pricing import PriceTable
from meshflow_grpc.providers.token_bound import max_tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anthropic import AsyncStream
    from anthropic.types import RawMessageStreamEvent

    from meshflow_grpc.ports.provider import ModelReply, ModelRequest, Price

DEFAULT_MODEL = "claude-sonnet-5-5"
BASE_URL = "https://api.anthropic.com"
# Longest silence on a connection: Anthropic sends pings while it works, and its own SDK waits this long.
DEFAULT_TIMEOUT_S = 600.0
CONNECT_TIMEOUT_S = 5.0


class AnthropicProvider:
    """Calls the Messages API. One attempt per call: retries, deadlines and budgets are the kernel's.

    ``timeout_s`` bounds the silence between two pieces of an answer. Only the arguments count for key and address, not the
    SDK's environment variables. Raises ValueError for an empty key or a model without a price.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        default_model: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        if not api_key:
            raise ValueError("the Anthropic API key is empty")
        self._prices = PriceTable("anthropic", prices)
        self._default_model = default_model or DEFAULT_MODEL
        try:
            self._prices.price(self._default_model)
        except ProviderError as error:
            raise ValueError(error.message) from None
        self._secret = api_key
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url or BASE_URL,
            timeout=httpx2.Timeout(timeout_s, connect=connect_timeout_s),
            max_retries=0,
            open_telemetry=False,
        )

    @property
    def name(self) -> str:
        """``anthropic``."""
        return "anthropic"

    @property
    def default_model(self) -> str:
        """The model of nodes that name none."""
        return self._default_model

    def price(self, model: str) -> Price:
        """Price of a model; raises ProviderError (INVALID) saying how to set one that is unknown."""
        return self._prices.price(model)

    def max_input_tokens(self, text: str) -> int:
        """An upper bound of the tokens in a text."""
        return max_tokens_of(text)

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """Calls the model; raises ProviderError, also for an answer that stops before its end or is a refusal.

        Cancelling closes the connection at once, which ends the generation.
        """
        answer = Answer()
        stream = await self._open(request)
        try:
            while (event := await self._next(stream, answer)) is not None:
                delta = answer.take(event)
                if delta and on_delta is not None:
                    on_delta(delta)
        finally:
            await stream.close()
        return answer.reply(request.model)

    async def check(self) -> None:
        """Asks for the default model's description, which costs nothing; raises ProviderError."""
        try:
            await self._client.models.retrieve(self._default_model, timeout=CONNECT_TIMEOUT_S)
        except (AnthropicError, httpx2.HTTPError) as error:
            raise provider_error(error, secret=self._secret) from None

    async def close(self) -> None:
        """Closes the connections; calls under way fail."""
        await self._client.close()

    async def _open(self, request: ModelRequest) -> AsyncStream[RawMessageStreamEvent]:
        messages = message_params(request)
        try:
            return await self._client.messages.create(
                model=request.model,
                max_tokens=request.max_output_tokens,
                messages=messages,
                stream=True,
                system=request.system or omit,
                tools=tool_params(request) if request.tools else omit,
                thinking=thinking_param(request.model) or omit,
                extra_headers=_trace_context(),
            )
        except (AnthropicError, httpx2.HTTPError) as error:
            raise provider_error(error, secret=self._secret) from None

    async def _next(self, stream: AsyncStream[RawMessageStreamEvent], answer: Answer) -> RawMessageStreamEvent | None:
        try:
            return await anext(stream, None)
        except (AnthropicError, httpx2.HTTPError) as error:
            raise provider_error(error, secret=self._secret, started=answer.started) from None
        except ValueError:
            message = "the provider sent an event that is not JSON"
            raise ProviderError(ProviderFault.FAILED, message, retryable=True) from None


def _trace_context() -> dict[str, str]:
    """The span this call is made in, as W3C headers; nothing without one."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers
