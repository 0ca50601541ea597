"""ValidateWorkflow: what is wrong with a definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.put_workflow import SOURCE
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.workflow.digest import workflow_digest
from meshflow_grpc.workflow.yaml_codec import load_workflow

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.admission import Admission
    from meshflow_grpc.engine.registered_workflows import RegisteredWorkflows


@dataclass(frozen=True, slots=True)
class WorkflowValidation:
    """The problems of a definition; name, version and digest when there are none."""

    problems: tuple[FieldViolation, ...] = ()
    name: str = ""
    version: str = ""
    digest: str = ""


class ValidateWorkflowCommand:
    """Checks definitions as a run would."""

    def __init__(self, workflows: RegisteredWorkflows, admission: Admission) -> None:
        self._workflows = workflows
        self._admission = admission

    async def execute(self, principal: Principal, yaml: str) -> WorkflowValidation:
        """Never raises for a definition, whatever is wrong with it."""
        try:
            workflow = load_workflow(yaml, source=SOURCE)
            self._admission.runnable(await self._workflows.resolved(principal.tenant_id, workflow, (workflow.name,)))
        except InvalidRequestError as error:
            return WorkflowValidation(tuple(error.violations))
        return WorkflowValidation((), workflow.name, workflow.version, workflow_digest(workflow))
