"""One family of errors, each with a reason that clients can act on (AIP-193)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ErrorReason(StrEnum):
    """Why a call failed; mirrored by ``meshflow.v1.ErrorReason`` and documented in docs/errors.md."""

    INVALID_REQUEST = "INVALID_REQUEST"
    POLICY_FIELD_NOT_ENFORCED = "POLICY_FIELD_NOT_ENFORCED"
    INVALID_WORKFLOW = "INVALID_WORKFLOW"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RUN_NOT_FOUND = "RUN_NOT_FOUND"
    WORKFLOW_NOT_FOUND = "WORKFLOW_NOT_FOUND"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    POLICY_DIGEST_MISMATCH = "POLICY_DIGEST_MISMATCH"
    POLICY_FLOOR_VIOLATED = "POLICY_FLOOR_VIOLATED"
    RATE_LIMITED = "RATE_LIMITED"
    ADMISSION_LIMIT = "ADMISSION_LIMIT"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    DRAINING = "DRAINING"
    NOT_READY = "NOT_READY"
    LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"
    APPROVAL_NOT_FOUND = "APPROVAL_NOT_FOUND"
    APPROVAL_ALREADY_DECIDED = "APPROVAL_ALREADY_DECIDED"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVAL_DIGEST_MISMATCH = "APPROVAL_DIGEST_MISMATCH"
    APPROVAL_NOT_READY = "APPROVAL_NOT_READY"
    WORKFLOW_VERSION_EXISTS = "WORKFLOW_VERSION_EXISTS"
    PAYLOAD_KEY_UNAVAILABLE = "PAYLOAD_KEY_UNAVAILABLE"
    RUN_IMMUTABLE = "RUN_IMMUTABLE"
    RUN_CONFLICT = "RUN_CONFLICT"
    MESH_NOT_CONFIGURED = "MESH_NOT_CONFIGURED"
    NODE_NOT_FOUND = "NODE_NOT_FOUND"
    REAUTHENTICATION_REQUIRED = "REAUTHENTICATION_REQUIRED"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its path in the request, for example ``policy.budget_usd``, and what is wrong with it."""

    field: str
    description: str


class MeshflowError(Exception):
    """Base of every error a caller may see. The message is safe to show: it holds no secret and no internal detail."""

    reason: ErrorReason = ErrorReason.INTERNAL
    # Whether the same call does no harm on another server: nothing was begun here, or it attaches there to what was.
    retry_elsewhere: bool = False

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


class InvalidRequestError(MeshflowError):
    """A field is missing, of the wrong type or out of range; ``violations`` names each."""

    reason = ErrorReason.INVALID_REQUEST

    @classmethod
    def of(cls, *violations: FieldViolation) -> InvalidRequestError:
        """Builds the error from its violations; the message joins them."""
        return cls("; ".join(f"{v.field}: {v.description}" for v in violations), violations=violations)


class PolicyFieldNotEnforcedError(InvalidRequestError):
    """A policy field is known but not enforced here; accepting it would promise governance that does not happen."""

    reason = ErrorReason.POLICY_FIELD_NOT_ENFORCED


class InvalidWorkflowError(InvalidRequestError):
    """A workflow definition is not valid; ``violations`` give the place (``line:column`` for YAML)."""

    reason = ErrorReason.INVALID_WORKFLOW


class UnauthenticatedError(MeshflowError):
    """No credential, or one that is not valid."""

    reason = ErrorReason.UNAUTHENTICATED


class ReauthenticationRequiredError(MeshflowError):
    """The caller proved who they are too long ago for what they ask."""

    reason = ErrorReason.REAUTHENTICATION_REQUIRED


class PermissionDeniedError(MeshflowError):
    """The principal may not do this."""

    reason = ErrorReason.PERMISSION_DENIED


class RunNotFoundError(MeshflowError):
    """No such run in the caller's tenant."""

    reason = ErrorReason.RUN_NOT_FOUND

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id!r} was not found", metadata={"run_id": run_id})


class EntryNotFoundError(MeshflowError):
    """No such entry in the caller's tenant."""

    reason = ErrorReason.RUN_NOT_FOUND


class WorkflowNotFoundError(MeshflowError):
    """No such workflow."""

    reason = ErrorReason.WORKFLOW_NOT_FOUND


class RequestIdReusedError(MeshflowError):
    """The request id was used before with another request (AIP-155)."""

    reason = ErrorReason.REQUEST_ID_REUSED

    def __init__(self, request_id: str, run_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used with a different request; send a new request_id",
            metadata={"request_id": request_id, "run_id": run_id},
        )


class PolicyDigestMismatchError(MeshflowError):
    """The effective policy is not the one the caller expected."""

    reason = ErrorReason.POLICY_DIGEST_MISMATCH


class PolicyFloorViolatedError(MeshflowError):
    """The request asks for less governance than a floor allows."""

    reason = ErrorReason.POLICY_FLOOR_VIOLATED


class RateLimitedError(MeshflowError):
    """Too many requests; ``retry_after_s`` says when to come back."""

    reason = ErrorReason.RATE_LIMITED


class AdmissionLimitError(MeshflowError):
    """Too many runs in flight; ``retry_after_s`` says when to come back."""

    reason = ErrorReason.ADMISSION_LIMIT


class RequestTooLargeError(MeshflowError):
    """The request is larger than the server takes."""

    reason = ErrorReason.REQUEST_TOO_LARGE


class DrainingError(MeshflowError):
    """The server is shutting down; another replica will answer."""

    reason = ErrorReason.DRAINING
    retry_elsewhere = True


class StoppedError(MeshflowError):
    """The server stopped in the middle of a call; what the call began may go on elsewhere."""

    reason = ErrorReason.DRAINING


class NotReadyError(MeshflowError):
    """The server is not ready for traffic."""

    reason = ErrorReason.NOT_READY


class LedgerUnavailableError(MeshflowError):
    """The ledger cannot take entries; nothing was released without its entry."""

    reason = ErrorReason.LEDGER_UNAVAILABLE


class LogInconsistentError(LedgerUnavailableError):
    """What is stored cannot be the log that was signed: entries, subtrees or heads were removed, changed or rolled back."""


class RunFencedError(LedgerUnavailableError):
    """Another server has taken the run up; this one writes nothing more of it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id!r} goes on on another server", metadata={"run_id": run_id}, retry_after_s=1.0)


class DeadlineExceededError(MeshflowError):
    """The caller's deadline passed before there was an answer."""

    reason = ErrorReason.DEADLINE_EXCEEDED


class EntryAlreadyRecordedError(MeshflowError):
    """An entry with the same (run_id, step_id, attempt, kind) exists; appends are idempotent, never replacements."""


class StepNotRecordedError(MeshflowError):
    """A step could not even be recorded as denied: a defect of the server. Nothing was released; the run ends as failed."""

    def __init__(self, step_id: str) -> None:
        super().__init__(
            f"stage audit_ledger failed twice for step {step_id!r}; nothing was released; report this with the run id",
            metadata={"step_id": step_id},
        )


class RunConflictError(MeshflowError):
    """The run is not in the state that this needs: it goes on, has ended, or changed hands."""

    reason = ErrorReason.RUN_CONFLICT


class RunImmutableError(MeshflowError):
    """The run is under policy.immutable_audit: it is never deleted, only anonymized."""

    reason = ErrorReason.RUN_IMMUTABLE

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {run_id!r} is under policy.immutable_audit and is not deleted; erase it with mode anonymize",
            metadata={"run_id": run_id},
        )


class ApprovalNotFoundError(MeshflowError):
    """No such approval in the caller's tenant."""

    reason = ErrorReason.APPROVAL_NOT_FOUND

    def __init__(self, approval_id: str) -> None:
        super().__init__(f"approval {approval_id!r} was not found", metadata={"approval_id": approval_id})


class ApprovalAlreadyDecidedError(MeshflowError):
    """The approval was decided otherwise, or its run ended without a decision."""

    reason = ErrorReason.APPROVAL_ALREADY_DECIDED


class ApprovalExpiredError(MeshflowError):
    """Nobody decided in time."""

    reason = ErrorReason.APPROVAL_EXPIRED


class ApprovalDigestMismatchError(MeshflowError):
    """The action is not the one the reviewer saw."""

    reason = ErrorReason.APPROVAL_DIGEST_MISMATCH


class ApprovalNotReadyError(MeshflowError):
    """Other branches of the run are still at work; ``retry_after_s`` says when to come back."""

    reason = ErrorReason.APPROVAL_NOT_READY


class WorkflowVersionExistsError(MeshflowError):
    """The name and version are those of another definition; a registered version never changes."""

    reason = ErrorReason.WORKFLOW_VERSION_EXISTS


class PayloadKeyUnavailableError(MeshflowError):
    """Payloads are encrypted, and the key that opens them is not configured here, or was destroyed with an erasure."""

    reason = ErrorReason.PAYLOAD_KEY_UNAVAILABLE
