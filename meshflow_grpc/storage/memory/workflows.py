"""Registered workflows in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.workflow import ApprovedChange, StoredWorkflow


class MemoryWorkflows:
    """See ``ports.workflows.WorkflowStore``."""

    def __init__(self) -> None:
        self._workflows: dict[tuple[str, str, str], StoredWorkflow] = {}
        self._changes: dict[tuple[str, str, str], ApprovedChange] = {}

    async def put_workflow(self, workflow: StoredWorkflow) -> StoredWorkflow:
        """See WorkflowStore."""
        key = workflow.tenant_id, workflow.name, workflow.version
        return self._workflows.setdefault(key, replace(workflow, number=len(self._workflows) + 1))

    async def get_workflow(self, tenant_id: str, name: str, version: str = "") -> StoredWorkflow | None:
        """See WorkflowStore."""
        if version:
            return self._workflows.get((tenant_id, name, version))
        return next(self._newest_first(tenant_id, name), None)

    async def list_workflows(self, tenant_id: str, *, after_name: str = "", limit: int) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        names = sorted({each.name for each in self._workflows.values() if each.tenant_id == tenant_id})
        later = [name for name in names if name > after_name][:limit]
        return tuple(next(self._newest_first(tenant_id, name)) for name in later)

    async def workflow_versions(
        self, tenant_id: str, name: str, *, below: int, limit: int
    ) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        return tuple(each for each in self._newest_first(tenant_id, name) if each.number < below)[:limit]

    async def approve_change(self, change: ApprovedChange) -> ApprovedChange:
        """See WorkflowStore."""
        return self._changes.setdefault((change.tenant_id, change.workflow_digest, change.policy_digest), change)

    async def approved_change(
        self, tenant_id: str, workflow_digest: str, policy_digest: str | None
    ) -> ApprovedChange | None:
        """See WorkflowStore."""
        for change in self._changes.values():
            if (change.tenant_id, change.workflow_digest) == (tenant_id, workflow_digest) and policy_digest in (
                None,
                change.policy_digest,
            ):
                return change
        return None

    def _newest_first(self, tenant_id: str, name: str) -> Iterator[StoredWorkflow]:
        stored = reversed(self._workflows.values())
        return (each for each in stored if (each.tenant_id, each.name) == (tenant_id, name))
