"""GetWorkflow: a workflow by name, or by name and version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.domain.workflow import StoredWorkflow
    from meshflow_grpc.engine.registered_workflows import RegisteredWorkflows


class GetWorkflowCommand:
    """Reads workflows of the caller's tenant, and those that ship with the server."""

    def __init__(self, workflows: RegisteredWorkflows) -> None:
        self._workflows = workflows

    async def execute(self, principal: Principal, name: str) -> StoredWorkflow:
        """``name`` is NAME or NAME@VERSION; raises WorkflowNotFoundError, also for another tenant's."""
        return await self._workflows.find(principal.tenant_id, name)
