"""PutWorkflow: registers a version of a workflow, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidWorkflowError, WorkflowVersionExistsError
from meshflow_grpc.domain.workflow import StoredWorkflow
from meshflow_grpc.workflow.catalog import packaged_names
from meshflow_grpc.workflow.digest import workflow_digest
from meshflow_grpc.workflow.yaml_codec import load_workflow

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.admission import Admission
    from meshflow_grpc.engine.registered_workflows import RegisteredWorkflows
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.workflows import WorkflowStore

SOURCE = "yaml"


class PutWorkflowCommand:
    """Registers workflows of the caller's tenant."""

    def __init__(
        self, store: WorkflowStore, workflows: RegisteredWorkflows, admission: Admission, clock: Clock
    ) -> None:
        self._workflows = workflows
        self._store = store
        self._admission = admission
        self._clock = clock

    async def execute(self, principal: Principal, yaml: str) -> StoredWorkflow:
        """Returns the registered version, durable. Raises InvalidWorkflowError and WorkflowVersionExistsError."""
        workflow = load_workflow(yaml, source=SOURCE)
        self._admission.runnable(await self._workflows.resolved(principal.tenant_id, workflow, (workflow.name,)))
        digest = workflow_digest(workflow)
        if workflow.name in packaged_names():
            raise InvalidWorkflowError.of(
                FieldViolation("name", f"{workflow.name!r} ships with the server; take another")
            )
        if "@" in workflow.version:
            raise InvalidWorkflowError.of(FieldViolation("version", "must not hold '@', which stands before a version"))
        stored = await self._store.put_workflow(
            StoredWorkflow(
                principal.tenant_id,
                workflow.name,
                workflow.version,
                digest,
                yaml,
                workflow.description,
                self._clock.now(),
                principal.id,
            )
        )
        if stored.digest != digest:
            raise WorkflowVersionExistsError(
                f"{stored.name}@{stored.version} is another definition, which never changes; give this one a new version",
                metadata={"workflow": stored.name, "version": stored.version, "digest": stored.digest},
            )
        return stored
