"""meshflow-grpc: the governed runtime for AI agents that any language can call."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import CircuitBreakerConfig as CircuitBreakerConfig
    from meshflow_grpc.domain.policy import HumanInLoopConfig as HumanInLoopConfig
    from meshflow_grpc.domain.policy import Policy as Policy
    from meshflow_grpc.domain.policy import PolicyMode as PolicyMode
    from meshflow_grpc.domain.policy import RiskTier as RiskTier
    from meshflow_grpc.domain.tool import ToolContext as ToolContext
    from meshflow_grpc.domain.tool import ToolError as ToolError
    from meshflow_grpc.domain.workflow import END as END
    from meshflow_grpc.domain.workflow import START as START
    from meshflow_grpc.graph.agent import Agent as Agent
    from meshflow_grpc.graph.compiled_graph import GraphRunError as GraphRunError
    from meshflow_grpc.graph.definition import WorkflowDefinition as WorkflowDefinition
    from meshflow_grpc.graph.durable import DurableWorkflowExecutor as DurableWorkflowExecutor
    from meshflow_grpc.graph.graph_run import GraphRecursionError as GraphRecursionError
    from meshflow_grpc.graph.mesh import Mesh as Mesh
    from meshflow_grpc.graph.mesh import MeshEvent as MeshEvent
    from meshflow_grpc.graph.reducers import add as add
    from meshflow_grpc.graph.reducers import last as last
    from meshflow_grpc.graph.result import WorkflowResult as WorkflowResult
    from meshflow_grpc.graph.state_graph import StateGraph as StateGraph
    from meshflow_grpc.graph.state_graph import node as node
    from meshflow_grpc.graph.step_runtime import NodeInput as NodeInput
    from meshflow_grpc.graph.step_runtime import RuntimeOutcome as RuntimeOutcome
    from meshflow_grpc.graph.step_runtime import StepRuntime as StepRuntime
    from meshflow_grpc.ledger.run_diff import RunDiff as RunDiff
    from meshflow_grpc.replay.ledger import ReplayLedger as ReplayLedger
    from meshflow_grpc.replay.step_record import StepRecord as StepRecord
    from meshflow_grpc.tools.registry import Registry as Registry
    from meshflow_grpc.tools.registry import tool as tool

__version__ = "0.1.0"

_LAZY = {
    "Agent": "meshflow_grpc.graph.agent",
    "CircuitBreakerConfig": "meshflow_grpc.domain.policy",
    "DurableWorkflowExecutor": "meshflow_grpc.graph.durable",
    "END": "meshflow_grpc.domain.workflow",
    "GraphRecursionError": "meshflow_grpc.graph.graph_run",
    "GraphRunError": "meshflow_grpc.graph.compiled_graph",
    "HumanInLoopConfig": "meshflow_grpc.domain.policy",
    "Mesh": "meshflow_grpc.graph.mesh",
    "MeshEvent": "meshflow_grpc.graph.mesh",
    "NodeInput": "meshflow_grpc.graph.step_runtime",
    "Policy": "meshflow_grpc.domain.policy",
    "PolicyMode": "meshflow_grpc.domain.policy",
    "Registry": "meshflow_grpc.tools.registry",
    "ReplayLedger": "meshflow_grpc.replay.ledger",
    "RiskTier": "meshflow_grpc.domain.policy",
    "RunDiff": "meshflow_grpc.ledger.run_diff",
    "RuntimeOutcome": "meshflow_grpc.graph.step_runtime",
    "START": "meshflow_grpc.domain.workflow",
    "StepRecord": "meshflow_grpc.replay.step_record",
    "StateGraph": "meshflow_grpc.graph.state_graph",
    "StepRuntime": "meshflow_grpc.graph.step_runtime",
    "ToolContext": "meshflow_grpc.domain.tool",
    "ToolError": "meshflow_grpc.domain.tool",
    "WorkflowDefinition": "meshflow_grpc.graph.definition",
    "WorkflowResult": "meshflow_grpc.graph.result",
    "add": "meshflow_grpc.graph.reducers",
    "last": "meshflow_grpc.graph.reducers",
    "node": "meshflow_grpc.graph.state_graph",
    "tool": "meshflow_grpc.tools.registry",
}


def __getattr__(name: str) -> object:
    """Public names are imported when they are first used, so that importing the package stays quick."""
    module = _LAZY.get(name)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value
