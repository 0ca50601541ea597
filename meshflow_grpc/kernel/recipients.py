"""Who a step may hand data to, as stage 11 decides it under profile gdpr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.governance.recipients import HELD, destinations
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.peer_request import target_of

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState


def check_recipients(ports: KernelPorts, state: StepState) -> StepState | Deny:
    """Notes those that the step may hand data to; denies when it would go to another.

    Outside of production a server on which none was declared lets everything pass, and no entry claims otherwise.
    """
    step, known = state.step, ports.recipients.now
    if HELD not in step.run.policy.compliance:
        return state
    if step.node.kind is NodeKind.GRPC:
        names = _peers(ports, state)
        found = [name for name in names if known.objection(name) is None]
        # One that may be asked is enough: the step goes to no other.
        refused = names if not found else []
        names = found or names
    else:
        names = list(destinations(step.node, step.action, state.risk, ports.provider.name))
        refused = names
    objection = next(filter(None, map(known.objection, refused)), None)
    if objection is None:
        state.recipients = known.found(names)
        return state
    if not known.declared and not ports.safeguards.production:
        return state
    return Deny(*objection)


def refused_recipient(ports: KernelPorts, policy: Policy, node: Node) -> Deny | None:
    """Why an agent's step would not get past stage 11, known before the run starts."""
    known = ports.recipients.now
    if HELD not in policy.compliance or not (known.declared or ports.safeguards.production):
        return None
    names = destinations(node, None, node.risk, ports.provider.name)
    objection = next(filter(None, map(known.objection, names)), None)
    return None if objection is None else Deny(*objection)


def _peers(ports: KernelPorts, state: StepState) -> list[str]:
    if ports.mesh is None:
        return []
    found = ports.mesh.peers.candidates(state.step.run.tenant_id, target_of(state.step.node))
    return list(dict.fromkeys(f"peer:{node.slug}" for node in found))
