"""What a peer is asked for in a grpc node's step. The same step always asks for the same, also after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.mesh import PeerTarget
from meshflow_grpc.domain.peer_step import PEER_MARK, AskedPeer
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.governance.compliance import DPIA, LEGAL_EFFECT, PURPOSE
from meshflow_grpc.governance.peer_policy import peer_policy
from meshflow_grpc.governance.taint import GIVEN
from meshflow_grpc.kernel.call_record import idempotency_key, intent_draft
from meshflow_grpc.kernel.retry import attempt_timeout_s
from meshflow_grpc.ports.mesh import PeerCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import EntryDraft
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.governance.budget import Budget
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState

DEFAULT_WORKFLOW = "default"
DEFAULT_SHARE = 0.25
_LONG_S = 10.0
PARENT_RUN = "parent_run"
PARENT_STEP = "parent_step"
DEPTH = "mesh_depth"
MAX_DEPTH = 8
# Labels that a compliance profile looks at, so that the peer can hold its run to it.
_GOVERNING = (PURPOSE, LEGAL_EFFECT, DPIA)


def target_of(node: Node) -> PeerTarget:
    """Whom a grpc node is for."""
    config = node.config
    failover = tuple(cast("Sequence[str]", config.get("failover") or ()))
    return PeerTarget(cast("str | None", config.get("peer")), cast("str | None", config.get("concern")), failover)


def peer_share(node: Node, budget: Budget) -> Usage:
    """The part of the run's budget that a peer is given: ``budget_share`` of what is left now."""
    fraction = node.config.get("budget_share")
    return budget.part(float(fraction) if isinstance(fraction, int | float) else DEFAULT_SHARE)


def depth_of(labels: Mapping[str, str]) -> int:
    """How many peers handed the run on before it came here."""
    text = labels.get(DEPTH, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def asked_now(state: StepState, ports: KernelPorts) -> AskedPeer:
    """What is asked for: as an earlier life of the run asked, else the reserved share and the time that is left."""
    step = state.step
    if step.asked is not None:
        return step.asked
    left = step.run.deadline - ports.clock.monotonic()
    limit = attempt_timeout_s(state)
    return AskedPeer("", "", state.reserved, _milliseconds(min(left, limit) if limit else left))


def _milliseconds(seconds: float) -> int:
    """Long times in whole seconds, so that peers meet few different policies and resolve each once."""
    return max(1, round(1000 * seconds) if seconds < _LONG_S else 1000 * int(seconds))


def peer_call(state: StepState, ports: KernelPorts, asked: AskedPeer, arguments: Mapping[str, JsonValue]) -> PeerCall:
    """The request; ``arguments`` are those that passed the input stages."""
    step, run = state.step, state.step.run
    timeout_s = asked.timeout_ms / 1000
    labels = {name: run.labels[name] for name in _GOVERNING if name in run.labels}
    if state.labels:
        labels[GIVEN] = ",".join(sorted(state.labels))
    labels |= {PARENT_RUN: run.run_id, PARENT_STEP: step.step_id, DEPTH: str(depth_of(run.labels) + 1)}
    return PeerCall(
        tenant_id=run.tenant_id,
        workflow=cast("str", arguments.get("workflow") or DEFAULT_WORKFLOW),
        task=str(arguments.get("task", "")),
        policy=peer_policy(run.policy, asked.share, timeout_s, state.risk),
        request_id=idempotency_key(step),
        timeout_s=timeout_s,
        traceparent=ports.tracer.traceparent(),
        labels=labels,
        proved=run.policy.immutable_audit or bool(run.policy.compliance) or state.risk >= RiskTier.EXTERNAL_IO,
    )


def peer_intent(state: StepState, now: str, node: MeshNode, asked: AskedPeer, number: int) -> EntryDraft:
    """The step_intent entry, durable before a peer is asked: whom, and with which share and time."""
    draft = intent_draft(state, now)
    share = asked.share
    peer: dict[str, JsonValue] = {
        "node_id": node.node_id,
        "slug": node.slug,
        "timeout_ms": asked.timeout_ms,
        "share": {"carbon_ug": share.carbon_ug, "cost_nano_usd": share.cost_nano_usd, "tokens": share.tokens},
    }
    step_id = draft.step_id if number == 1 else f"{draft.step_id}{PEER_MARK}{number}"
    return draft._replace(step_id=step_id, facts={**draft.facts, "peer": peer})
