"""A call to a peer as a run request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import policy_pb2, run_pb2

if TYPE_CHECKING:
    from meshflow_grpc.ports.mesh import PeerCall

_TOOL_LISTS = ("allowed_tools", "denied_tools")


def run_request(call: PeerCall) -> run_pb2.RunRequest:
    """The request; the same call always makes the same, so that asking twice is one run."""
    fields: dict[str, Any] = dict(call.policy)
    fields |= {name: {"names": fields[name]} for name in _TOOL_LISTS if name in fields}
    return run_pb2.RunRequest(
        task=call.task,
        policy=policy_pb2.Policy(**fields),
        workflow=call.workflow,
        request_id=call.request_id,
        on_disconnect="continue",
        labels=call.labels,
    )
