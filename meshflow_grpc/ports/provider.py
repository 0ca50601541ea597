"""The contract of a model provider."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue

_NO_CONFIG: Mapping[str, JsonValue] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a model in nano-USD per token."""

    input_nano_usd: int
    output_nano_usd: int


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool offered to a model; ``parameters`` is a JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call the model asks for."""

    call_id: str
    name: str
    arguments: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Result of a tool call, given back to the model."""

    call_id: str
    content: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One past turn of an agent's loop: what the model said and called, and the results it got.

    ``opaque`` is the reply's, handed back unchanged: some models need their own signed blocks to go on.
    """

    text: str
    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]
    opaque: tuple[Mapping[str, JsonValue], ...] = ()


class ModelRequest(NamedTuple):
    """One call of a model. ``prompt`` is the user's part; ``turns`` is what happened in the loop so far.

    ``iteration`` counts the node's activations in the run, ``attempt`` the tries of this one; both from 1.
    """

    run_id: str
    agent_id: str
    role: str
    model: str
    system: str
    prompt: str
    max_output_tokens: int
    attempt: int = 1
    iteration: int = 1
    tools: tuple[ToolSpec, ...] = ()
    turns: tuple[Turn, ...] = ()
    config: Mapping[str, JsonValue] = _NO_CONFIG


class ModelReply(NamedTuple):
    """Answer of a model. ``confidence`` in 0..1 where the model states one."""

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    stop_reason: str = "end_turn"
    calls: tuple[ToolCall, ...] = ()
    confidence: float | None = None
    opaque: tuple[Mapping[str, JsonValue], ...] = ()


class ProviderFault(StrEnum):
    """Kinds of provider failure."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    AUTHENTICATION = "authentication"
    INVALID = "invalid"
    FAILED = "failed"


class ProviderError(Exception):
    """A model call failed. ``retryable`` says whether the same call may succeed later; the text is safe to record and show."""

    def __init__(
        self, fault: ProviderFault, message: str, *, retryable: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class ModelProvider(Protocol):
    """Calls models. Cancellation of ``complete`` MUST reach the wire at once."""

    @property
    def name(self) -> str:
        """Name of the provider (OpenTelemetry ``gen_ai.provider.name``): ``mock``, ``anthropic``."""
        ...

    @property
    def default_model(self) -> str:
        """Model used when a node names none."""
        ...

    def price(self, model: str) -> Price:
        """Price of a model; raises ProviderError (INVALID) for a model whose price is unknown, since its budget could not be held."""
        ...

    def max_input_tokens(self, text: str) -> int:
        """An upper bound of the tokens in a text, cheap to compute; used to reserve budget."""
        ...

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """Calls the model; ``on_delta`` receives text as it comes. Raises ProviderError."""
        ...

    async def check(self) -> None:
        """Asks the provider whether it can be used, at no cost; raises ProviderError."""
        ...

    async def close(self) -> None:
        """Releases connections."""
        ...
