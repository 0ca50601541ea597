"""Where registered workflows are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import ApprovedChange, StoredWorkflow


class WorkflowStore(Protocol):
    """Keeps definitions by tenant, name and version. Raises LedgerUnavailableError."""

    async def put_workflow(self, workflow: StoredWorkflow) -> StoredWorkflow:
        """Keeps a definition and returns it with its number. MUST return the earlier one when name and version are taken."""
        ...

    async def get_workflow(self, tenant_id: str, name: str, version: str = "") -> StoredWorkflow | None:
        """Returns a version, or the one registered last; None when the tenant has none."""
        ...

    async def list_workflows(self, tenant_id: str, *, after_name: str = "", limit: int) -> tuple[StoredWorkflow, ...]:
        """Returns the newest version of each workflow with a greater name, by name."""
        ...

    async def workflow_versions(
        self, tenant_id: str, name: str, *, below: int, limit: int
    ) -> tuple[StoredWorkflow, ...]:
        """Returns versions of a workflow with a smaller number, newest first."""
        ...

    async def approve_change(self, change: ApprovedChange) -> ApprovedChange:
        """Keeps an approval and returns it, durable. MUST return the earlier one of the same definition and policy."""
        ...

    async def approved_change(
        self, tenant_id: str, workflow_digest: str, policy_digest: str | None
    ) -> ApprovedChange | None:
        """Returns the approval of a definition under a policy; without a policy the first under any. None when there is none."""
        ...
