"""Has peers carry out steps: starts a run there, waits for its end, and brings back what proves it."""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from grpc import aio

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2, log_pb2, run_pb2, run_service_pb2
from meshflow_grpc.domain.node_token import digest_of_call
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.usage import MICRO_PER_GRAM, Usage, nano_usd
from meshflow_grpc.mesh.call_ahead import CallAhead, once
from meshflow_grpc.mesh.call_channels import CallChannels
from meshflow_grpc.mesh.peer_errors import peer_error, run_under_way
from meshflow_grpc.mesh.peer_messages import run_request
from meshflow_grpc.mesh.peer_methods import CANCEL_RUN, CREATE_RUN, EXPORT_RUN, GET_PROOF, RUN, WAIT_RUN
from meshflow_grpc.ports.mesh import PeerAnswer, PeerRefusedError, PeerUnreachableError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator

    from google.protobuf.message import Message

    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.mesh.call_channels import PeerConnection
    from meshflow_grpc.mesh.peer_methods import PeerMethod
    from meshflow_grpc.ports.mesh import NodeCredentials, PeerCall

# Most seconds a peer has to say that it took a call, and between two words of one whose run goes on: one that is silent is lost.
ANSWER_S = 5.0
# The part of that time after which a call that was begun ahead is begun anew.
FRESH_PART = 0.2
EXPORT_S = 60.0
CANCEL_REASON = "the run that asked for it ended"


class GrpcPeerClient:
    """Implements ports.mesh.PeerClient over gRPC."""

    def __init__(self, credentials: NodeCredentials, *, answer_s: float = ANSWER_S) -> None:
        self._credentials = credentials
        self._channels = CallChannels(credentials)
        self._answer_s = answer_s

    @contextmanager
    def ahead(self, node: MeshNode, call: PeerCall) -> Iterator[CallAhead | None]:
        """See ports.mesh.PeerClient."""
        peer = self._channels.standing(node)
        if peer is None:
            yield None
            return

        def begin(go: asyncio.Future[None]) -> Any:  # noqa: ANN401 - the call under way
            data = run_request(call).SerializeToString()
            return peer.begin_run(once(go, data), **self._options(node, call, RUN, data, 2 * self._answer_s))

        begun = CallAhead(begin, self._answer_s * FRESH_PART)
        try:
            yield begun
        finally:
            begun.take_back()

    async def run(
        self, node: MeshNode, call: PeerCall, accepted: Callable[[str], None], ahead: object = None
    ) -> PeerAnswer:
        """See ports.mesh.PeerClient."""
        peer = await self._connected(node)
        request = run_request(call)
        give_up = time.monotonic() + call.timeout_s
        begun = ahead if isinstance(ahead, CallAhead) and ahead.usable else None
        run = await self._begun(peer, node, call, request, accepted, begun)
        received = run.ByteSize()
        while RunStatus(run.status) is RunStatus.RUNNING:
            run = await self._as_it_goes_on(peer, node, call, run.run_id, give_up - time.monotonic())
            received += run.ByteSize()
        return await self._with_head(peer, node, call, run, request.ByteSize(), received)

    async def _begun(
        self,
        peer: PeerConnection,
        node: MeshNode,
        call: PeerCall,
        request: run_pb2.RunRequest,
        accepted: Callable[[str], None],
        ahead: CallAhead | None,
    ) -> run_pb2.RunResponse:
        """The run as it ended, in one request, when it is quick; else as it goes on."""
        asked = self._sent(peer, node, call, RUN, request, 2 * self._answer_s) if ahead is None else ahead.go()
        try:
            run: run_pb2.RunResponse = await asked
        except aio.AioRpcError as error:
            run_id = run_under_way(error)
            if run_id is None:
                raise peer_error(error, node.slug) from None
            run = run_pb2.RunResponse(run_id=run_id, status=RunStatus.RUNNING.value)
        accepted(run.run_id)
        return run

    async def _as_it_goes_on(
        self, peer: PeerConnection, node: MeshNode, call: PeerCall, run_id: str, left_s: float
    ) -> run_pb2.RunResponse:
        """The run after a while; whatever error comes now, the run was begun."""
        wait_s = min(self._answer_s, max(0.05, left_s))
        wait = run_service_pb2.WaitRunRequest(run_id=run_id, timeout_s=wait_s)
        asked = self._sent(peer, node, call, WAIT_RUN, wait, wait_s + self._answer_s)
        try:
            return await _answer(asked, node)
        except PeerRefusedError as error:
            raise PeerUnreachableError(str(error), sent=True) from None

    async def cancel(self, node: MeshNode, call: PeerCall, run_id: str | None) -> PeerAnswer:
        """See ports.mesh.PeerClient."""
        peer = await self._connected(node)
        if run_id is None:
            run = await _answer(self._sent(peer, node, call, CREATE_RUN, run_request(call), self._answer_s), node)
            run_id = run.run_id
        request = run_service_pb2.CancelRunRequest(run_id=run_id, reason=CANCEL_REASON)
        run = await _answer(self._sent(peer, node, call, CANCEL_RUN, request, self._answer_s), node)
        return await self._with_head(peer, node, call, run, request.ByteSize(), run.ByteSize())

    async def evidence(self, node: MeshNode, tenant_id: str, run_id: str) -> bytes:
        """See ports.mesh.PeerClient."""
        peer = await self._connected(node)
        request = ledger_service_pb2.ExportRunRequest(run_id=run_id, format="evidence").SerializeToString()
        metadata = self._credentials.metadata(node, tenant_id, digest_of_call(EXPORT_RUN.path, request))
        stream = peer.call(EXPORT_RUN, request, timeout=EXPORT_S, metadata=metadata)
        try:
            return b"".join([body.data async for body in stream])
        except aio.AioRpcError as error:
            raise peer_error(error, node.slug) from None

    async def close(self) -> None:
        """Closes the channels."""
        await self._channels.close()

    async def _with_head(
        self, peer: PeerConnection, node: MeshNode, call: PeerCall, run: run_pb2.RunResponse, sent: int, received: int
    ) -> PeerAnswer:
        """The run with its proof under the signed head of the peer's log, if asked for; not lost for want of one."""
        proof = log_pb2.InclusionProof()
        if call.proved and RunStatus(run.status).ended:
            head = run.ledger_head.sequence
            request = ledger_service_pb2.GetInclusionProofRequest(run_id=run.run_id, sequence=head)
            with suppress(aio.AioRpcError):
                proof = (await self._sent(peer, node, call, GET_PROOF, request, self._answer_s)).proof
        return _peer_answer(run, proof, sent, received + proof.ByteSize())

    async def _connected(self, node: MeshNode) -> PeerConnection:
        peer = await self._channels.connected(node)
        if peer is None:
            where = ", ".join(node.endpoints)
            raise PeerUnreachableError(f"no connection to {where}", sent=False)
        return peer

    def _sent(
        self,
        peer: PeerConnection,
        node: MeshNode,
        call: PeerCall,
        method: PeerMethod,
        request: Message,
        timeout_s: float,
    ) -> Any:  # noqa: ANN401 - the call under way; awaited, it gives an answer of the method's
        """Sends a request, with a credential of its own: it may be good for this call only."""
        data = request.SerializeToString()
        return peer.call(method, data, **self._options(node, call, method, data, timeout_s))

    def _options(
        self, node: MeshNode, call: PeerCall, method: PeerMethod, data: bytes, timeout_s: float
    ) -> dict[str, object]:
        trace = (("traceparent", call.traceparent),) if call.traceparent else ()
        proof = self._credentials.metadata(node, call.tenant_id, digest_of_call(method.path, data))
        return {"timeout": timeout_s, "metadata": (*proof, *trace)}


async def _answer(call: Awaitable[run_pb2.RunResponse], node: MeshNode) -> run_pb2.RunResponse:
    try:
        return await call
    except aio.AioRpcError as error:
        raise peer_error(error, node.slug) from None


def _peer_answer(run: run_pb2.RunResponse, proof: log_pb2.InclusionProof, sent: int, received: int) -> PeerAnswer:
    status = RunStatus(run.status)
    why = run.block_reason if run.HasField("block_reason") else run.status_reason
    if status is RunStatus.PAUSED and run.HasField("pending_approval"):
        why = f"{run.pending_approval.approval_id}: {run.pending_approval.reason}"
    # An answer says how many tokens a run used, not which way.
    usage = Usage(
        output_tokens=run.total_tokens,
        cost_nano_usd=nano_usd(run.total_cost_usd),
        carbon_ug=round(run.total_carbon_g * MICRO_PER_GRAM),
    )
    return PeerAnswer(
        run_id=run.run_id,
        status=status,
        output=run.output,
        blocked_by=run.blocked_by or None,
        reason=why or None,
        usage=usage,
        sequence=run.ledger_head.sequence,
        head_hash=run.ledger_head.hash,
        tree_head=proof.checkpoint,
        leaf_index=proof.leaf_index,
        path=tuple(b64encode(each).decode() for each in proof.hashes),
        sent=sent,
        received=received,
    )
