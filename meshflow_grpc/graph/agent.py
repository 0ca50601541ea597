"""Agent: who takes a step, as Python declares it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.tool import Tool
from meshflow_grpc.graph.definition import WorkflowDefinition
from meshflow_grpc.tools.registry import tier_of, tool_of

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Node


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent by name. ``tools`` are functions decorated with ``@tool``; ``risk`` is what it can do to the world."""

    name: str
    role: str = ""
    system: str = ""
    model: str | None = None
    tools: Sequence[Callable[..., Any] | Tool] = field(default=())
    risk: RiskTier | str = RiskTier.INTERNAL
    max_output_tokens: int | None = None

    def node(self) -> Node:
        """The node that this agent executes; raises InvalidWorkflowError naming a wrong field, and ValueError for no tier of risk."""
        fields: dict[str, JsonValue] = {"role": self.role, "risk": tier_of(self.risk, self.name).label}
        if self.system:
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
        """Its tools; raises TypeError for a function that is none."""
        return tuple(tool_of(each) for each in self.tools)
