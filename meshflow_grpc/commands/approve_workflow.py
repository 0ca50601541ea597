"""ApproveWorkflow: a second person's word for a definition under the policy its runs are held to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import (
    ApprovalDigestMismatchError,
    FieldViolation,
    InvalidRequestError,
    PermissionDeniedError,
)
from meshflow_grpc.domain.run import RunRequest
from meshflow_grpc.domain.workflow import ApprovedChange

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.admission import Admission
    from meshflow_grpc.engine.registered_workflows import RegisteredWorkflows
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.workflows import WorkflowStore

MAX_COMMENT_CHARS = 4000


class ApproveWorkflowCommand:
    """Approves workflows of the caller's tenant that others registered."""

    def __init__(
        self, store: WorkflowStore, workflows: RegisteredWorkflows, admission: Admission, clock: Clock
    ) -> None:
        self._workflows = workflows
        self._store = store
        self._admission = admission
        self._clock = clock

    async def execute(
        self, principal: Principal, name: str, *, expected_digest: str | None = None, comment: str = ""
    ) -> ApprovedChange:
        """Returns the approval, durable; of what was approved before the first one.

        Raises WorkflowNotFoundError, InvalidWorkflowError, ApprovalDigestMismatchError, and PermissionDeniedError to an author.
        """
        if len(comment) > MAX_COMMENT_CHARS:
            raise InvalidRequestError.of(FieldViolation("comment", f"must have at most {MAX_COMMENT_CHARS} characters"))
        tenant_id = principal.tenant_id
        authors = await self._workflows.authors(tenant_id, name)
        request = RunRequest(task="", workflow=name, session_id=name)
        found = await self._workflows.of_request(tenant_id, request)
        admitted = self._admission.resolve(principal, request, found)
        digest, policy_digest = admitted.workflow.compiled.digest, admitted.policy.digest
        if expected_digest not in (None, digest):
            raise ApprovalDigestMismatchError(
                "the workflow, with its subgraphs, is not the one reviewed",
                metadata={"workflow": name, "workflow_digest": digest},
            )
        if principal.id in authors:
            raise PermissionDeniedError(
                f"{principal.id!r} registered it, or one of its subgraphs, and may not approve it (two persons); ask another approver",
                metadata={"workflow": name},
            )
        definition = admitted.workflow.compiled.workflow
        return await self._store.approve_change(
            ApprovedChange(
                tenant_id,
                digest,
                policy_digest,
                definition.name,
                definition.version,
                authors,
                principal.id,
                comment,
                self._clock.now(),
            )
        )
