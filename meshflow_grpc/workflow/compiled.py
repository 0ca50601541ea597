"""A workflow made ready to run, once per definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidWorkflowError
from meshflow_grpc.workflow.condition import EdgeConditions
from meshflow_grpc.workflow.digest import workflow_digest
from meshflow_grpc.workflow.expansion import as_written, expanded
from meshflow_grpc.workflow.graph import GraphStructureError, build_graph
from meshflow_grpc.workflow.output_schema import output_check
from meshflow_grpc.workflow.validation import validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.workflow import Workflow
    from meshflow_grpc.workflow.graph import Graph
    from meshflow_grpc.workflow.output_schema import OutputCheck


@dataclass(frozen=True, slots=True)
class CompiledWorkflow:
    """A valid workflow, subgraphs expanded, with its graph, conditions and checks of outputs by node. Immutable; runs share it.

    ``digest`` is that of the definition, before expansion.
    """

    workflow: Workflow
    graph: Graph
    conditions: EdgeConditions
    digest: str
    output_checks: Mapping[str, OutputCheck]


def compile_workflow(workflow: Workflow) -> CompiledWorkflow:
    """Validates and compiles; raises InvalidWorkflowError with every problem."""
    validate(as_written(workflow))
    whole = expanded(workflow)
    checks = {node.id: output_check(node.output_schema) for node in whole.nodes if node.output_schema is not None}
    try:
        graph = build_graph(whole)
    except GraphStructureError as error:
        raise InvalidWorkflowError.of(FieldViolation("workflow.edges", f"with its subgraphs: {error}")) from error
    return CompiledWorkflow(whole, graph, EdgeConditions.of(whole), workflow_digest(workflow), checks)
