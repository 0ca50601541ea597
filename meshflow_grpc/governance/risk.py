"""Risk tier of an action: the highest of what is declared and what the node's kind implies."""

from __future__ import annotations

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import Node, NodeKind

KIND_TIER: dict[NodeKind, RiskTier] = {
    NodeKind.AGENT: RiskTier.READ_ONLY,
    NodeKind.PYTHON: RiskTier.READ_ONLY,
    NodeKind.HUMAN: RiskTier.READ_ONLY,
    NodeKind.SUBGRAPH: RiskTier.READ_ONLY,
    NodeKind.TOOL: RiskTier.INTERNAL,
    NodeKind.HTTP: RiskTier.EXTERNAL_IO,
    NodeKind.GRPC: RiskTier.EXTERNAL_IO,
}


def risk_of(node: Node) -> RiskTier:
    """The tier of a step of this node: a declaration may raise what the kind implies, never lower it."""
    return max(node.risk, KIND_TIER[node.kind])
