"""How a run at a peer ends the step that asked for it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from meshflow_grpc.domain.peer_step import PeerRecord
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.tool import FOREIGN
from meshflow_grpc.kernel.decision import Deny, Fail, Pause
from meshflow_grpc.kernel.state import Execution

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.kernel.decision import Refusal
    from meshflow_grpc.kernel.state import StepState
    from meshflow_grpc.ports.mesh import PeerAnswer


@dataclasses.dataclass(frozen=True, slots=True)
class Spent:
    """What peers asked earlier in the step used, or may have used, and the part of it that is settled; how often."""

    charged: Usage
    prepaid: Usage
    attempts: int


def peer_record(node: MeshNode, answer: PeerAnswer) -> PeerRecord:
    """What the step's entry keeps of the peer's run."""
    return PeerRecord(
        node.slug,
        node.node_id,
        answer.run_id,
        answer.status.value,
        answer.sequence,
        answer.head_hash,
        answer.tree_head,
        answer.leaf_index,
        answer.path,
    )


def step_outcome(state: StepState, node: MeshNode, answer: PeerAnswer, spent: Spent) -> StepState | Refusal:
    """Notes the execution when the peer's run completed; else gives the refusal that tells how it stands."""
    record = peer_record(node, answer)
    usage = spent.charged + answer.usage._replace(steps=1)
    if answer.status is RunStatus.COMPLETED:
        state.execution = Execution(answer.output, "", usage, spent.prepaid, spent.attempts, peer=record)
        state.labels |= FOREIGN
        return state
    text = f"run {answer.run_id} at {node.slug} "
    why = f": {answer.reason}" if answer.reason else ""
    if answer.status is RunStatus.BLOCKED:
        by = f" by {answer.blocked_by}" if answer.blocked_by else ""
        return Deny("PEER_BLOCKED", f"{text}was blocked{by}{why}", "", usage, spent.prepaid, record)
    if answer.status is RunStatus.REJECTED:
        return Deny("PEER_REJECTED", f"{text}was rejected{why}", "", usage, spent.prepaid, record)
    if answer.status is RunStatus.PAUSED:
        message = f"{text}waits for a human{why}; decide there, then approve here to go on with its result"
        return Pause("PEER_PAUSED", message, spent.charged, spent.prepaid, record)
    reason = "PEER_CANCELLED" if answer.status is RunStatus.CANCELLED else "PEER_FAILED"
    return Fail(reason, f"{text}is {answer.status.value}{why}", usage, spent.prepaid, record)
