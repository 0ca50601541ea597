"""Tools: what agents and workflows may do to the world, and one call of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue

# What a result is taken for when its tool does not declare where it comes from.
FOREIGN = frozenset({"untrusted", "external"})


class ToolError(Exception):
    """A tool says that it failed. The text is recorded and shown. ``retryable`` promises that nothing was done."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of its call. ``cancelled`` turns true when nobody waits for the result any more.

    ``idempotency_key`` is the same for every attempt of the call, also after a restart of the server.
    """

    run_id: str
    tenant_id: str
    step_id: str
    attempt: int
    idempotency_key: str
    cancelled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Tool:
    """A callable under governance. ``call`` returns text, or a JSON value; ``check`` says what is wrong with arguments.

    ``labels`` are the taint of its results; ``idempotent`` promises that a call repeated with its key has no second effect;
    ``timeout_s`` is per attempt, 0 = as node and policy say. ``tenants`` are those whose data it may touch, None = all.
    """

    name: str
    description: str
    parameters: Mapping[str, JsonValue]
    call: Callable[[Mapping[str, JsonValue], ToolContext], Awaitable[str]]
    check: Callable[[Mapping[str, JsonValue]], str | None]
    risk: RiskTier = RiskTier.INTERNAL
    labels: frozenset[str] = FOREIGN
    idempotent: bool = False
    timeout_s: float = 0.0
    tenants: frozenset[str] | None = None

    def serves(self, tenant_id: str) -> bool:
        """Whether the tool may act for a tenant."""
        return self.tenants is None or tenant_id in self.tenants


@dataclass(frozen=True, slots=True)
class Action:
    """One call of a tool, or of a python node's function (``is_tool`` false), as a step takes it through the kernel.

    ``tool`` is None when nothing of that name is there; ``problem`` says why the arguments could not be made.
    ``parent`` is the agent's step for a call inside its loop.
    """

    name: str
    tool: Tool | None
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    is_tool: bool = True
    offered: bool = True
    problem: str | None = None
    parent: str | None = None
    call_id: str | None = None
