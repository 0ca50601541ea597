"""The one table from reasons to gRPC status codes, and errors as google.rpc.Status with typed details (AIP-193)."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from meshflow_grpc.domain.errors import ErrorReason, MeshflowError

if TYPE_CHECKING:
    from google.protobuf.message import Message

DOMAIN = "meshflow.dev"
MAX_VIOLATIONS = 100
# Trailing metadata by which a proxy in front of several servers knows that it may make the call of another one, whatever it is.
RETRY_ELSEWHERE = "meshflow-retry-elsewhere"
RETRY_AFTER = "retry-after"
# What a 401 has to ask for (RFC 9110, 11.6.1; RFC 6750); a sign-in that is too old is told apart (RFC 9470).
CHALLENGE = "www-authenticate"
CHALLENGES = {
    ErrorReason.UNAUTHENTICATED: 'Bearer realm="meshflow"',
    ErrorReason.REAUTHENTICATION_REQUIRED: 'Bearer realm="meshflow", error="insufficient_user_authentication"',
}

CODES: dict[ErrorReason, grpc.StatusCode] = {
    ErrorReason.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorReason.POLICY_FIELD_NOT_ENFORCED: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorReason.INVALID_WORKFLOW: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorReason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorReason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    ErrorReason.RUN_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorReason.WORKFLOW_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorReason.REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
    ErrorReason.POLICY_DIGEST_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.POLICY_FLOOR_VIOLATED: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorReason.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorReason.ADMISSION_LIMIT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorReason.REQUEST_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorReason.DRAINING: grpc.StatusCode.UNAVAILABLE,
    ErrorReason.NOT_READY: grpc.StatusCode.UNAVAILABLE,
    ErrorReason.LEDGER_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorReason.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    ErrorReason.INTERNAL: grpc.StatusCode.INTERNAL,
    ErrorReason.APPROVAL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorReason.APPROVAL_ALREADY_DECIDED: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.APPROVAL_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.APPROVAL_DIGEST_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.APPROVAL_NOT_READY: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.WORKFLOW_VERSION_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    ErrorReason.PAYLOAD_KEY_UNAVAILABLE: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.RUN_IMMUTABLE: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.RUN_CONFLICT: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.MESH_NOT_CONFIGURED: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorReason.NODE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorReason.REAUTHENTICATION_REQUIRED: grpc.StatusCode.UNAUTHENTICATED,
}


def status_of(error: MeshflowError) -> grpc.Status:
    """The status a caller sees: code, message, ErrorInfo, and BadRequest and RetryInfo where they apply."""
    metadata = {key: value[:1000] for key, value in error.metadata.items()}
    details: list[Message] = [ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=metadata)]
    if error.violations:
        shown = error.violations[:MAX_VIOLATIONS]
        violations = [BadRequest.FieldViolation(field=v.field[:200], description=v.description[:500]) for v in shown]
        details.append(BadRequest(field_violations=violations))
    if error.retry_after_s is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(RetryInfo(retry_delay=delay))
    status = Status(code=CODES[error.reason].value[0], message=error.message[:2000], details=map(_packed, details))
    converted = rpc_status.to_status(status)
    if added := _headers(error):
        converted = converted._replace(trailing_metadata=(*converted.trailing_metadata, *added))
    answer: grpc.Status = converted
    return answer


def _headers(error: MeshflowError) -> tuple[tuple[str, str], ...]:
    """What proxies and HTTP clients read who do not look into bodies; whole seconds (RFC 9110, 10.2.3)."""
    headers = []
    if error.retry_after_s is not None:
        headers.append((RETRY_AFTER, str(ceil(error.retry_after_s))))
    if error.retry_elsewhere:
        headers.append((RETRY_ELSEWHERE, "1"))
    if error.reason in CHALLENGES:
        headers.append((CHALLENGE, CHALLENGES[error.reason]))
    return tuple(headers)


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed


def internal_error(request_id: str) -> MeshflowError:
    """What a caller sees of a defect: nothing but where to look for it."""
    return MeshflowError("internal error; the server's log has the details", metadata={"request_id": request_id})
