"""A workflow made ready to run, once per definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.workflow.condition import EdgeConditions
from meshflow_grpc.workflow.digest import workflow_digest
from meshflow_grpc.workflow.graph import build_graph
from meshflow_grpc.workflow.output_schema import output_check
from meshflow_grpc.workflow.validation import validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.workflow import Workflow
    from meshflow_grpc.workflow.graph import Graph
    from meshflow_grpc.workflow.output_schema import OutputCheck


@dataclass(frozen=True, slots=True)
class CompiledWorkflow:
    """A valid workflow with its graph, compiled conditions, digest and checks of outputs by node. Immutable; runs share it."""

    workflow: Workflow
    graph: Graph
    conditions: EdgeConditions
    digest: str
    output_checks: Mapping[str, OutputCheck]


def compile_workflow(workflow: Workflow) -> CompiledWorkflow:
    """Validates and compiles; raises InvalidWorkflowError with every problem."""
    validate(workflow)
    checks = {node.id: output_check(node.output_schema) for node in workflow.nodes if node.output_schema is not None}
    conditions, digest = EdgeConditions.of(workflow), workflow_digest(workflow)
    return CompiledWorkflow(workflow, build_graph(workflow), conditions, digest, checks)
