"""What a failed call says about the peer: it was not reached, it refused, or it failed on the way."""

from __future__ import annotations

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from meshflow_grpc.domain.errors import ErrorReason
from meshflow_grpc.ports.mesh import PeerError, PeerFailedError, PeerRefusedError, PeerUnreachableError

_RUN = "run_id"
_DETAILS = "grpc-status-details-bin"
# Reasons after which the peer may have recorded the run's start all the same.
_UNDECIDED = frozenset({ErrorReason.INTERNAL, ErrorReason.LEDGER_UNAVAILABLE, ErrorReason.DEADLINE_EXCEEDED})
_LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED})


def peer_error(error: aio.AioRpcError, slug: str) -> PeerError:
    """The error of a call that was sent on a connection that stood. A refusal that names a run is none: the run was begun."""
    info, text = _info(error), f"{slug}: {error.details() or error.code().name}"
    reason = info.reason
    if _RUN in info.metadata and reason == ErrorReason.DRAINING:
        return PeerUnreachableError(text, sent=True)
    if reason and reason not in _UNDECIDED:
        return PeerRefusedError(f"{reason}: {text}", reason=reason)
    if error.code() in _LOST:
        return PeerUnreachableError(text, sent=True)
    return PeerFailedError(text)


def run_under_way(error: aio.AioRpcError) -> str | None:
    """The run that a peer names when it had no time to finish it; None for any other error."""
    info = _info(error)
    return info.metadata.get(_RUN) if info.reason == ErrorReason.DEADLINE_EXCEEDED else None


def _info(error: aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """What a meshflow server says of its error (AIP-193); empty when something on the way answered in its place."""
    info = error_details_pb2.ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                details = status_pb2.Status.FromString(value).details
            except DecodeError:
                return info
            for detail in details:
                detail.Unpack(info)
    return info
