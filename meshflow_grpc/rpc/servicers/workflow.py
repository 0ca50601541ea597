"""WorkflowService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import workflow_service_pb2_grpc
from meshflow_grpc.rpc.call import current_principal
from meshflow_grpc.rpc.convert.workflow import (
    change_to_proto,
    validation_to_proto,
    workflow_to_proto,
    workflows_to_proto,
)

if TYPE_CHECKING:
    from meshflow_grpc._gen.meshflow.v1 import workflow_service_pb2
    from meshflow_grpc.commands.catalog import Commands


class WorkflowServicer(workflow_service_pb2_grpc.WorkflowServiceServicer):
    """Registered workflows."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def PutWorkflow(  # noqa: N802 - RPC name
        self, request: workflow_service_pb2.PutWorkflowRequest, context: Any
    ) -> workflow_service_pb2.Workflow:
        """See workflow_service.proto."""
        return workflow_to_proto(await self._commands.put_workflow.execute(current_principal(), request.yaml))

    async def GetWorkflow(  # noqa: N802 - RPC name
        self, request: workflow_service_pb2.GetWorkflowRequest, context: Any
    ) -> workflow_service_pb2.Workflow:
        """See workflow_service.proto."""
        return workflow_to_proto(await self._commands.get_workflow.execute(current_principal(), request.name))

    async def ListWorkflows(  # noqa: N802 - RPC name
        self, request: workflow_service_pb2.ListWorkflowsRequest, context: Any
    ) -> workflow_service_pb2.ListWorkflowsResponse:
        """See workflow_service.proto."""
        page = await self._commands.list_workflows.execute(
            current_principal(), page_size=request.page_size, page_token=request.page_token, name=request.name
        )
        return workflows_to_proto(page)

    async def ApproveWorkflow(  # noqa: N802 - RPC name
        self, request: workflow_service_pb2.ApproveWorkflowRequest, context: Any
    ) -> workflow_service_pb2.WorkflowApproval:
        """See workflow_service.proto."""
        change = await self._commands.approve_workflow.execute(
            current_principal(),
            request.name,
            expected_digest=request.expected_digest if request.HasField("expected_digest") else None,
            comment=request.comment,
        )
        return change_to_proto(change)

    async def ValidateWorkflow(  # noqa: N802 - RPC name
        self, request: workflow_service_pb2.ValidateWorkflowRequest, context: Any
    ) -> workflow_service_pb2.WorkflowValidation:
        """See workflow_service.proto."""
        return validation_to_proto(await self._commands.validate_workflow.execute(current_principal(), request.yaml))
