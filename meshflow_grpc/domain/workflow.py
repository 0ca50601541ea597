"""A workflow: an immutable graph of nodes and edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue

START = "__start__"
END = "__end__"
DEFAULT_MAX_OUTPUT_TOKENS = 1024


class NodeKind(StrEnum):
    """What executes a node."""

    AGENT = "agent"
    PYTHON = "python"
    TOOL = "tool"
    HTTP = "http"
    GRPC = "grpc"
    HUMAN = "human"
    SUBGRAPH = "subgraph"


class JoinRule(StrEnum):
    """How many live incoming branches a node waits for."""

    ALL = "all"
    ANY = "any"
    MAJORITY = "majority"


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``config`` holds what its kind needs (an agent's ``system`` and ``model``, a python node's ``ref``).

    ``model``, ``system`` and ``max_output_tokens`` are what the config says of them, "" and the default where it says nothing:
    read once, since every step asks for them several times.
    """

    id: str
    kind: NodeKind = NodeKind.AGENT
    role: str = ""
    risk: RiskTier = RiskTier.INTERNAL
    join: JoinRule = JoinRule.ALL
    timeout_s: float = 0.0
    max_retries: int | None = None
    output_schema: Mapping[str, JsonValue] | None = None
    sla_ms: int | None = None
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    model: str = field(default="", init=False, repr=False, compare=False)
    system: str = field(default="", init=False, repr=False, compare=False)
    max_output_tokens: int = field(default=DEFAULT_MAX_OUTPUT_TOKENS, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, kind in (("model", str), ("system", str), ("max_output_tokens", int)):
            value = self.config.get(name)
            if isinstance(value, kind):
                object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Edge:
    """From ``source`` to ``target``, taken when ``condition`` (CEL; empty = always) is true; ``max_iterations`` bounds a back edge."""

    source: str
    target: str
    condition: str = ""
    max_iterations: int | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """An immutable definition. ``entry`` nodes start it; ``policy`` holds the policy fields the workflow asks for."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    entry: str = ""
    version: str = "1"
    description: str = ""
    policy: Mapping[str, JsonValue] = field(default_factory=dict)

    def node(self, node_id: str) -> Node:
        """Returns a node by id; raises KeyError when there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)


@dataclass(frozen=True, slots=True)
class StoredWorkflow:
    """A registered definition: immutable under (tenant, name, version). ``number`` grows with each; 0 while it is not stored.

    One that ships with the server has neither ``create_time`` nor ``principal_id``.
    """

    tenant_id: str
    name: str
    version: str
    digest: str
    yaml: str
    description: str = ""
    create_time: str = ""
    principal_id: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class ApprovedChange:
    """A second person's word for a definition, with its subgraphs, under a policy; the digests are those of runs' first entries.

    ``authors`` registered it and its subgraphs; the approver is none of them.
    """

    tenant_id: str
    workflow_digest: str
    policy_digest: str
    name: str
    version: str
    authors: tuple[str, ...]
    approver: str
    comment: str
    create_time: str
