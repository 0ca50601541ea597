"""What the process's exit code says."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import ErrorReason
from meshflow_grpc.domain.run import RunStatus

if TYPE_CHECKING:
    from meshflow_grpc.client import MeshflowCallError


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    RUN_FAILED = 1
    USAGE = 2
    POLICY_REJECTED = 3
    APPROVAL_PENDING = 4
    UNAVAILABLE = 5
    VERIFICATION_FAILED = 6


_BY_STATUS = {
    RunStatus.COMPLETED: ExitCode.OK,
    RunStatus.RUNNING: ExitCode.UNAVAILABLE,
    RunStatus.PAUSED: ExitCode.APPROVAL_PENDING,
}
_BY_REASON = {
    ErrorReason.POLICY_FLOOR_VIOLATED: ExitCode.POLICY_REJECTED,
    ErrorReason.POLICY_DIGEST_MISMATCH: ExitCode.POLICY_REJECTED,
    ErrorReason.RUN_NOT_FOUND: ExitCode.VERIFICATION_FAILED,
    ErrorReason.REQUEST_TOO_LARGE: ExitCode.USAGE,
    ErrorReason.RATE_LIMITED: ExitCode.UNAVAILABLE,
    ErrorReason.ADMISSION_LIMIT: ExitCode.UNAVAILABLE,
    ErrorReason.DRAINING: ExitCode.UNAVAILABLE,
    ErrorReason.NOT_READY: ExitCode.UNAVAILABLE,
    ErrorReason.LEDGER_UNAVAILABLE: ExitCode.UNAVAILABLE,
    ErrorReason.DEADLINE_EXCEEDED: ExitCode.UNAVAILABLE,
    ErrorReason.INTERNAL: ExitCode.RUN_FAILED,
    ErrorReason.APPROVAL_NOT_FOUND: ExitCode.VERIFICATION_FAILED,
    ErrorReason.APPROVAL_NOT_READY: ExitCode.UNAVAILABLE,
}
_UNAVAILABLE_CODES = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED", "UNIMPLEMENTED"}


def of_status(status: str) -> ExitCode:
    """Exit code of a command that waited for a run; still running means the wait was in vain."""
    return _BY_STATUS.get(RunStatus(status), ExitCode.RUN_FAILED)


def of_reason(reason: str) -> ExitCode:
    """Exit code of an error with a reason; what is not listed is the caller's to correct."""
    return _BY_REASON.get(ErrorReason(reason), ExitCode.USAGE)


def of_call_error(error: MeshflowCallError) -> ExitCode:
    """Exit code of a failed call."""
    if error.reason in ErrorReason.__members__:
        return of_reason(error.reason)
    if error.code in _UNAVAILABLE_CODES:
        return ExitCode.UNAVAILABLE
    return ExitCode.RUN_FAILED if error.code in {"INTERNAL", "UNKNOWN", "DATA_LOSS"} else ExitCode.USAGE
