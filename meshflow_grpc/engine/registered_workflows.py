"""Finds the workflow that a request names: one that ships with the package, or one that the tenant registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import WorkflowNotFoundError
from meshflow_grpc.domain.workflow import StoredWorkflow
from meshflow_grpc.workflow.catalog import packaged_names, packaged_workflow
from meshflow_grpc.workflow.digest import workflow_digest
from meshflow_grpc.workflow.problem import did_you_mean
from meshflow_grpc.workflow.yaml_codec import dump_workflow

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import RunRequest
    from meshflow_grpc.ports.workflows import WorkflowStore

SHOWN_NAMES = 50


class RegisteredWorkflows:
    """The names of one server: packaged ones cannot be registered over."""

    def __init__(self, store: WorkflowStore) -> None:
        self._store = store

    async def of_request(self, tenant_id: str, request: RunRequest) -> StoredWorkflow | None:
        """The registered workflow a request means; None when it brings its own, or names a packaged one. Raises as ``find``."""
        if request.workflow_yaml is not None or request.workflow in packaged_names():
            return None
        return await self.find(tenant_id, request.workflow)

    async def find(self, tenant_id: str, reference: str) -> StoredWorkflow:
        """The workflow called NAME or NAME@VERSION; raises WorkflowNotFoundError, which lists what there is."""
        name, at, version = reference.partition("@")
        if name in packaged_names():
            packaged = packaged_entry(name, tenant_id)
            if not at or version == packaged.version:
                return packaged
        elif not at or version:
            found = await self._store.get_workflow(tenant_id, name, version)
            if found is not None:
                return found
        stored = await self._store.list_workflows(tenant_id, limit=SHOWN_NAMES)
        known = sorted({*packaged_names(), *(each.name for each in stored)})
        hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
        raise WorkflowNotFoundError(f"workflow {reference!r} was not found{hint}", metadata={"workflow": reference})


def packaged_entry(name: str, tenant_id: str) -> StoredWorkflow:
    """A packaged workflow as the registry shows it."""
    workflow = packaged_workflow(name)
    return StoredWorkflow(
        tenant_id, name, workflow.version, workflow_digest(workflow), dump_workflow(workflow), workflow.description
    )
