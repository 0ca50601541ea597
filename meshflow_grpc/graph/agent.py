"""Agent: who takes a step, as Python declares it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.tool import Tool
from meshflow_grpc.graph.definition import WorkflowDefinition
from meshflow_grpc.tools.registry import tier_of, tool_of

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Node


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent by name. ``tools`` are functions decorated with ``@tool``; ``risk`` is what it can do to the world.

    Raises InvalidWorkflowError naming a wrong field, ValueError for no tier of risk, and TypeError for what is no name or tool.
    """

    name: str
    role: str = ""
    system: str = ""
    model: str | None = None
    tools: Sequence[Callable[..., Any] | Tool] = field(default=())
    risk: RiskTier | str = RiskTier.INTERNAL
    max_output_tokens: int | None = None

    def __post_init__(self) -> None:
        """Holds the tools as they are now, and checks what it is made of."""
        name, given = (cast("object", each) for each in (self.name, self.tools))
        if not isinstance(name, str):
            raise TypeError(f"the name of an agent must be text, not {name!r}")
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(f"the tools of {self.name!r} must be a list of functions, not {given!r}")
        object.__setattr__(self, "tools", tuple(given))
        self.node()

    def node(self) -> Node:
        """The node that this agent executes."""
        fields: dict[str, JsonValue] = {"role": self.role, "risk": tier_of(self.risk, self.name).label}
        if self.system != "":
            fields["system"] = self.system
        if self.model is not None:
            fields["model"] = self.model
        if self.max_output_tokens is not None:
            fields["max_output_tokens"] = self.max_output_tokens
        if self.tools:
            fields["tools"] = [each.name for each in self.own_tools()]
        (node,) = WorkflowDefinition(self.name).add_node(self.name, **fields).build().nodes
        return node

    def own_tools(self) -> tuple[Tool, ...]:
        """Its tools."""
        return tuple(tool_of(each) for each in self.tools)
