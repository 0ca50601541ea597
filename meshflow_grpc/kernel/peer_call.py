"""The step of a grpc node: a run at a peer of the mesh, or at the next that can take it, but never twice where it may act twice."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.errors import ErrorReason
from meshflow_grpc.domain.mesh import MeshChangeKind
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.kernel.decision import Deny, Fail, Interrupted, Pause
from meshflow_grpc.kernel.durable_reservation import DurableReservations
from meshflow_grpc.kernel.peer_outcome import Spent, peer_record, step_outcome
from meshflow_grpc.kernel.peer_request import MAX_DEPTH, asked_now, depth_of, peer_call, peer_intent, target_of
from meshflow_grpc.kernel.retry import pause_s, retries_of
from meshflow_grpc.kernel.tool_call import call_arguments
from meshflow_grpc.ports.mesh import PeerError, PeerRefusedError, PeerUnreachableError

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.domain.peer_step import AskedPeer
    from meshflow_grpc.domain.tool import Action
    from meshflow_grpc.governance.shortfall import Shortfall
    from meshflow_grpc.kernel.decision import Refusal
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState
    from meshflow_grpc.ports.mesh import MeshAccess, PeerAnswer, PeerCall

_log = structlog.get_logger(__name__)
_ONE_STEP = Usage(steps=1)
# How long a peer has to confirm that it ended a run.
CANCEL_S = 1.0
# Refusals that say that the peer is not fit for work now; any other is about the call.
_UNFIT = frozenset({ErrorReason.DRAINING, ErrorReason.NOT_READY, ErrorReason.ADMISSION_LIMIT})


class _GaveUpError(Exception):
    """This peer gave no answer; another may be asked."""


async def call_peer(ports: KernelPorts, state: StepState, action: Action) -> StepState | Refusal:
    """Notes the execution, or says why there is none. Raises Interrupted when cancelled after spending."""
    if ports.mesh is None:
        return Fail("PEER_UNAVAILABLE", "this server is no node of a mesh: set MESHFLOW_MESH_SLUG", _ONE_STEP)
    if depth_of(state.step.run.labels) >= MAX_DEPTH:
        message = f"the run was handed on by {MAX_DEPTH} nodes already"
        return Deny("MESH_TOO_DEEP", message, "do not let nodes hand work round in a circle")
    arguments = call_arguments(state, action)
    if arguments is None:
        message = "masking sensitive data made the peer's task unreadable"
        return Deny("CALL_UNREADABLE", message, "give such values as text")
    asked = asked_now(state, ports)
    call = peer_call(state, ports, asked, arguments)
    return await _PeerStep(ports, ports.mesh, state, asked, call).run()


class _PeerStep:
    """``_doubt`` names the peer at which the step may be under way, and ``_unsettled`` is what it may have used there."""

    def __init__(
        self,
        ports: KernelPorts,
        mesh: MeshAccess,
        state: StepState,
        asked: AskedPeer,
        call: PeerCall,
    ) -> None:
        self._ports, self._peers, self._client = ports, mesh.peers, mesh.client
        self._state, self._asked, self._call = state, asked, call
        self._share = asked.share.without_steps()
        self._reservations = DurableReservations(ports, state)
        self._charged = self._prepaid = ZERO_USAGE
        self._doubt = asked.slug
        self._unsettled = self._share if asked.slug else ZERO_USAGE
        self._attempts = self._peers_asked = 0
        self._refused_only = True
        self._why: list[str] = []
        self._run_id: str | None = None

    async def run(self) -> StepState | Refusal:
        nodes = self._in_order()
        for place, node in enumerate(nodes):
            if self._in_doubt and node.slug != self._doubt:
                break
            if not self._peers.admit(node.node_id):
                self._gave_up(node, "its circuit breaker is open")
                continue
            try:
                answer = await self._ask(node, more=place + 1 < len(nodes))
            except _GaveUpError as error:
                self._gave_up(node, str(error))
                continue
            if isinstance(answer, Deny | Fail):
                return answer
            spent = Spent(self._charged, self._prepaid, self._attempts)
            return step_outcome(self._state, node, answer, spent)
        return self._nobody()

    @property
    def _in_doubt(self) -> bool:
        """Whether no other peer may be asked: the step may act, and may have acted."""
        cleared = self._asked.cleared and self._doubt == self._asked.slug
        return bool(self._doubt) and self._state.risk >= RiskTier.EXTERNAL_IO and not cleared

    def _in_order(self) -> list[MeshNode]:
        """The candidates, first of all the one that was asked before."""
        run, node = self._state.step.run, self._state.step.node
        found = self._peers.candidates(run.tenant_id, target_of(node))
        if self._state.recipients is not None:
            permitted = {recipient.name for recipient in self._state.recipients}
            found = tuple(each for each in found if f"peer:{each.slug}" in permitted)
        return sorted(found, key=lambda each: each.node_id != self._asked.node_id)

    def _gave_up(self, node: MeshNode, why: str) -> None:
        self._why.append(f"{node.slug}: {why}")

    async def _ask(self, node: MeshNode, *, more: bool) -> PeerAnswer | Deny | Fail:
        """One peer, whose breaker admitted a call, as often as retries allow. Raises _GaveUpError."""
        with ExitStack() as stack:
            try:
                ahead = stack.enter_context(self._client.ahead(node, self._call))
                short = await self._announce(node)
            except BaseException:
                self._peers.release(node.node_id)
                raise
            if short is not None:
                self._peers.release(node.node_id)
                text = f"step {self._state.step.step_id!r} at {node.slug} {short}"
                return Deny("BUDGET_EXHAUSTED", text, short.remedy, self._charged, self._prepaid)
            return await self._asked_often(node, ahead, more=more)

    async def _asked_often(self, node: MeshNode, ahead: object, *, more: bool) -> PeerAnswer | Fail:
        """What its intent is durable for: the call that was begun ahead, then calls anew. Raises _GaveUpError."""
        attempt = 1
        while True:
            self._attempts += 1
            try:
                return await self._once(node, ahead)
            except PeerRefusedError as error:
                if error.reason == ErrorReason.REQUEST_ID_REUSED:
                    return self._failed("PEER_REFUSED", f"{node.slug} refused: {error}")
                why, at_once = f"it refused: {error}", not self._doubt
            except PeerError as error:
                self._refused_only = False
                why, at_once = str(error), more and not self._doubt
            if at_once:
                raise _GaveUpError(why)
            await self._before_retry(node, attempt, why)
            attempt, ahead = attempt + 1, None

    async def _announce(self, node: MeshNode) -> Shortfall | None:
        """Charges what another peer may have used, reserves anew, and makes durable whom the step asks."""
        run = self._state.step.run
        if self._doubt != node.slug:
            short = run.budget.reserve(self._unsettled)
            if short is not None:
                return short
            run.budget.settle(self._unsettled, self._unsettled)
            self._charged += self._unsettled
            self._prepaid += self._unsettled
            self._doubt = ""
        if self._why:
            detail = f"run {run.run_id} step {self._state.step.step_id}, after {self._why[-1]}"
            self._peers.announce(MeshChangeKind.FAILED_OVER, node.slug, detail)
        self._unsettled, self._run_id = ZERO_USAGE, None
        self._peers_asked += 1
        short = await self._reservations.reserve(self._charged, self._share)
        if short is None:
            draft = peer_intent(self._state, self._ports.clock.now(), node, self._asked, self._peers_asked)
            await self._ports.recorder.append(run.run_id, (draft,))
        return short

    async def _once(self, node: MeshNode, ahead: object) -> PeerAnswer:
        """One call. Every way out gives the breaker its result. Raises PeerError, _GaveUpError, CancelledError."""
        began = self._ports.clock.monotonic()
        try:
            async with asyncio.timeout(self._call.timeout_s):
                answer = await self._client.run(node, self._call, partial(self._accepted, node), ahead)
        except TimeoutError:
            self._may_run_at(node)
            self._record(node, began, ok=False)
            return await self._out_of_time(node)
        except PeerRefusedError as error:
            self._record(node, began, ok=error.reason not in _UNFIT)
            raise
        except PeerError as error:
            if not isinstance(error, PeerUnreachableError) or error.sent:
                self._may_run_at(node)
            self._record(node, began, ok=False)
            raise
        except asyncio.CancelledError:
            self._peers.release(node.node_id)
            raise await self._interrupted(node) from None
        except BaseException:
            self._peers.release(node.node_id)
            raise
        self._record(node, began, ok=True, answer=answer)
        return answer

    def _accepted(self, node: MeshNode, run_id: str) -> None:
        self._run_id = run_id
        self._may_run_at(node)

    def _may_run_at(self, node: MeshNode) -> None:
        self._doubt, self._unsettled = node.slug, self._share

    def _record(self, node: MeshNode, began: float, *, ok: bool, answer: PeerAnswer | None = None) -> None:
        latency = (self._ports.clock.monotonic() - began) * 1000
        sent, received = (answer.sent, answer.received) if answer is not None else (0, 0)
        self._peers.record(node.node_id, ok=ok, latency_ms=latency, sent=sent, received=received)

    async def _out_of_time(self, node: MeshNode) -> PeerAnswer:
        """The peer took too long: its run is ended, and counts as it ended. Raises _GaveUpError when it was cancelled."""
        self._refused_only = False
        why = f"no answer within {self._call.timeout_s:g} s"
        answer = await self._ended(node)
        if answer is None:
            raise _GaveUpError(f"{why}, and no confirmation that the run was ended")
        if answer.status is not RunStatus.CANCELLED:
            return answer
        self._unsettled = answer.usage.without_steps()
        raise _GaveUpError(f"{why}; run {answer.run_id} was cancelled")

    async def _interrupted(self, node: MeshNode) -> asyncio.CancelledError:
        """The step was cancelled: with its run, the peer's run is ended too; else that goes on, and is asked for again."""
        if not self._state.step.run.ending:
            return Interrupted(self._charged, self._prepaid)
        answer = await self._ended(node)
        if answer is None:
            return Interrupted(self._charged + self._share, self._prepaid)
        used = answer.usage.without_steps()
        return Interrupted(self._charged + used, self._prepaid, peer_record(node, answer))

    async def _ended(self, node: MeshNode) -> PeerAnswer | None:
        """Ends the peer's run; None when that is not confirmed in time."""
        try:
            async with asyncio.timeout(CANCEL_S):
                return await self._client.cancel(node, self._call, self._run_id)
        except (PeerError, TimeoutError) as error:
            _log.warning("peer_run_not_cancelled", peer=node.slug, peer_run_id=self._run_id, error=str(error))
            return None

    async def _before_retry(self, node: MeshNode, attempt: int, why: str) -> None:
        """Waits before the same peer is asked again; raises _GaveUpError when it is not."""
        pause = pause_s(attempt, self._ports)
        if attempt > retries_of(self._state):
            raise _GaveUpError(why)
        if self._ports.clock.monotonic() + pause >= self._state.step.run.deadline:
            raise _GaveUpError(f"{why}; no time is left to ask again")
        await asyncio.sleep(pause)
        if not self._peers.admit(node.node_id):
            raise _GaveUpError(f"{why}; its circuit breaker is open")

    def _nobody(self) -> Refusal:
        """No peer gave an answer."""
        tried = "; ".join(self._why) or "no live node of the mesh takes it"
        step = self._state.step
        if self._in_doubt:
            message = (
                f"IN_DOUBT: step {step.step_id!r} ({self._state.risk.label}) may have been carried out at {self._doubt}, "
                f"which gave no answer ({tried}); find out there, then approve to have it done again, if need be by another node"
            )
            return Pause("IN_DOUBT", message, self._charged, self._prepaid)
        self._charged += self._unsettled
        reason = "PEER_REFUSED" if self._why and self._refused_only else "PEER_UNAVAILABLE"
        return self._failed(reason, f"no peer carried out step {step.step_id!r}: {tried}")

    def _failed(self, reason: str, message: str) -> Fail:
        return Fail(reason, message, self._charged + _ONE_STEP, self._prepaid)
