"""Errors of calls, with the reason the server gave (AIP-193)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from meshflow_grpc.domain.errors import ErrorReason, FieldViolation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STATUS_DETAILS = "grpc-status-details-bin"
# Codes of a stream that broke on the way; a server that refuses on purpose says so with a reason.
_BROKEN = {"UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED"}
_PASSING_REASONS = {"", ErrorReason.DRAINING, ErrorReason.NOT_READY, ErrorReason.LEDGER_UNAVAILABLE}


class MeshflowCallError(Exception):
    """A call failed.

    ``code`` is the gRPC status code's name (``INVALID_ARGUMENT``), ``reason`` the server's machine-readable reason
    (``REQUEST_ID_REUSED``; empty when something on the way answered in its place), ``violations`` the bad fields,
    ``retry_after_s`` when to come back.
    """

    def __init__(
        self,
        code: str,
        reason: str,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{reason or code}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s
        self.metadata = dict(metadata or {})


def call_error(error: grpc.aio.AioRpcError) -> MeshflowCallError:
    """Reads code, reason, field violations and retry time from a failed RPC."""
    info, bad_request, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    for detail in _status(error).details:
        for message in (info, bad_request, retry):
            detail.Unpack(message)
    return MeshflowCallError(
        error.code().name,
        info.reason,
        error.details() or "no details",
        violations=[
            FieldViolation(violation.field, violation.description) for violation in bad_request.field_violations
        ],
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        metadata=info.metadata,
    )


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata():
        if key == _STATUS_DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()


def is_break(failure: MeshflowCallError) -> bool:
    """Tells a stream that broke on the way from a server that refused on purpose."""
    return failure.code in _BROKEN and failure.reason in _PASSING_REASONS
