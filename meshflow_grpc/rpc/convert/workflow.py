"""Registered workflows as protobuf messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc._gen.meshflow.v1 import workflow_service_pb2
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from meshflow_grpc.commands.list_workflows import WorkflowPage
    from meshflow_grpc.commands.validate_workflow import WorkflowValidation
    from meshflow_grpc.domain.workflow import ApprovedChange, StoredWorkflow


def workflow_to_proto(workflow: StoredWorkflow, *, with_yaml: bool = True) -> workflow_service_pb2.Workflow:
    """A registered workflow; lists go without its YAML."""
    return workflow_service_pb2.Workflow(
        name=workflow.name,
        version=workflow.version,
        digest=workflow.digest,
        yaml=workflow.yaml if with_yaml else "",
        description=workflow.description,
        create_time=timestamp(workflow.create_time) if workflow.create_time else None,
        principal=workflow.principal_id,
    )


def workflows_to_proto(page: WorkflowPage) -> workflow_service_pb2.ListWorkflowsResponse:
    """One page of workflows."""
    return workflow_service_pb2.ListWorkflowsResponse(
        workflows=(workflow_to_proto(each, with_yaml=False) for each in page.workflows),
        next_page_token=page.next_page_token,
    )


def change_to_proto(change: ApprovedChange) -> workflow_service_pb2.WorkflowApproval:
    """Who approved a workflow under a policy."""
    return workflow_service_pb2.WorkflowApproval(
        name=change.name,
        version=change.version,
        digest=change.workflow_digest,
        policy_digest=change.policy_digest,
        authors=change.authors,
        approver=change.approver,
        comment=change.comment,
        create_time=timestamp(change.create_time),
    )


def validation_to_proto(validation: WorkflowValidation) -> workflow_service_pb2.WorkflowValidation:
    """What is wrong with a definition."""
    return workflow_service_pb2.WorkflowValidation(
        valid=not validation.problems,
        problems=(
            workflow_service_pb2.WorkflowProblem(field=each.field, description=each.description)
            for each in validation.problems
        ),
        name=validation.name,
        version=validation.version,
        digest=validation.digest,
    )
