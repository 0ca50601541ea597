"""The RPCs that peers are asked with. Requests are serialized before they are sent, so that a credential can name the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.api import httpbody_pb2

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2, run_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message


class PeerMethod(NamedTuple):
    """An RPC: its full name, the class of its answers, and whether they are many."""

    path: str
    answer: type[Message]
    streams: bool = False


RUN = PeerMethod("/meshflow.v1.RunService/Run", run_pb2.RunResponse)
CREATE_RUN = PeerMethod("/meshflow.v1.RunService/CreateRun", run_pb2.RunResponse)
WAIT_RUN = PeerMethod("/meshflow.v1.RunService/WaitRun", run_pb2.RunResponse)
CANCEL_RUN = PeerMethod("/meshflow.v1.RunService/CancelRun", run_pb2.RunResponse)
EXPORT_RUN = PeerMethod("/meshflow.v1.LedgerService/ExportRun", httpbody_pb2.HttpBody, streams=True)
GET_PROOF = PeerMethod("/meshflow.v1.LedgerService/GetInclusionProof", ledger_service_pb2.GetInclusionProofResponse)
METHODS = (RUN, CREATE_RUN, WAIT_RUN, CANCEL_RUN, EXPORT_RUN, GET_PROOF)
