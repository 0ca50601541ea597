"""The part of the asynchronous client that is about registered workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc._gen.meshflow.v1 import workflow_service_pb2, workflow_service_pb2_grpc
from meshflow_grpc.client.async_calls import CallsOfOneClient, result

if TYPE_CHECKING:
    from meshflow_grpc.client.messages import ListWorkflowsResponse, Workflow, WorkflowApproval, WorkflowValidation


class AsyncWorkflowCalls(CallsOfOneClient):
    """Definitions that runs name."""

    _workflows: workflow_service_pb2_grpc.WorkflowServiceStub

    async def put_workflow(self, yaml: str) -> Workflow:
        """Registers a version of a workflow, once; the same again changes nothing."""
        request = workflow_service_pb2.PutWorkflowRequest(yaml=yaml)
        return await result(self._workflows.PutWorkflow(request, **self._call()))

    async def get_workflow(self, name: str) -> Workflow:
        """Returns the version registered last of NAME, or NAME@VERSION."""
        request = workflow_service_pb2.GetWorkflowRequest(name=name)
        return await result(self._workflows.GetWorkflow(request, **self._call()))

    async def approve_workflow(
        self, name: str, *, expected_digest: str | None = None, comment: str = ""
    ) -> WorkflowApproval:
        """Approves what NAME or NAME@VERSION is now, which another person registered; the same again changes nothing."""
        request = workflow_service_pb2.ApproveWorkflowRequest(
            name=name, expected_digest=expected_digest, comment=comment
        )
        return await result(self._workflows.ApproveWorkflow(request, **self._call()))

    async def list_workflows(
        self, *, page_size: int = 0, page_token: str = "", name: str = ""
    ) -> ListWorkflowsResponse:
        """Returns a page of workflows, the newest version of each; with a name all versions of that one."""
        request = workflow_service_pb2.ListWorkflowsRequest(page_size=page_size, page_token=page_token, name=name)
        return await result(self._workflows.ListWorkflows(request, **self._call()))

    async def validate_workflow(self, yaml: str) -> WorkflowValidation:
        """Returns what is wrong with a definition, if anything."""
        request = workflow_service_pb2.ValidateWorkflowRequest(yaml=yaml)
        return await result(self._workflows.ValidateWorkflow(request, **self._call()))
