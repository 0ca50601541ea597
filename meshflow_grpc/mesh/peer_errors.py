"""What a failed call says about the peer: it was not reached, it refused, or it failed on the way."""

from __future__ import annotations

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from meshflow_grpc.ports.mesh import PeerError, PeerFailedError, PeerRefusedError, PeerUnreachableError

_DETAILS = "grpc-status-details-bin"
# Reasons after which the peer may have recorded the run's start all the same.
_UNDECIDED = frozenset({"INTERNAL", "LEDGER_UNAVAILABLE", "DEADLINE_EXCEEDED"})
_LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED})


def peer_error(error: aio.AioRpcError, slug: str) -> PeerError:
    """The error of a call that was sent on a connection that stood."""
    reason, text = _reason(error), f"{slug}: {error.details() or error.code().name}"
    if reason and reason not in _UNDECIDED:
        return PeerRefusedError(f"{reason}: {text}", reason=reason)
    if error.code() in _LOST:
        return PeerUnreachableError(text, sent=True)
    return PeerFailedError(text)


def _reason(error: aio.AioRpcError) -> str:
    """The reason a meshflow server gave (AIP-193); empty when something on the way answered in its place."""
    info = error_details_pb2.ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                details = status_pb2.Status.FromString(value).details
            except DecodeError:
                return ""
            for detail in details:
                detail.Unpack(info)
    return str(info.reason)
