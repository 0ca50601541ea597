"""ValidateWorkflow: what is wrong with a definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.put_workflow import SOURCE
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from meshflow_grpc.engine.admission import Admission


@dataclass(frozen=True, slots=True)
class WorkflowValidation:
    """The problems of a definition; name, version and digest when there are none."""

    problems: tuple[FieldViolation, ...] = ()
    name: str = ""
    version: str = ""
    digest: str = ""


class ValidateWorkflowCommand:
    """Checks definitions as a run would."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def execute(self, yaml: str) -> WorkflowValidation:
        """Never raises for a definition, whatever is wrong with it."""
        try:
            compiled = self._admission.checked(yaml, SOURCE).compiled
        except InvalidRequestError as error:
            return WorkflowValidation(tuple(error.violations))
        return WorkflowValidation((), compiled.workflow.name, compiled.workflow.version, compiled.digest)
