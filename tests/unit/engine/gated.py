"""Runs that wait for a human, and what tests ask of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.run import Principal, Run, RunStatus
from tests.unit.engine.conftest import ALICE, World

if TYPE_CHECKING:
    from meshflow_grpc.domain.approval import Approval

BOB = Principal("bob", "acme", frozenset({"approver"}), method="test")
HUMAN: dict[str, object] = {"enabled": True, "tier_threshold": RiskTier.EXTERNAL_IO}
POLICY: dict[str, object] = {"human_in_loop": HUMAN}
PUBLISH = """
name: publishing
entry: writer
nodes:
  writer: {}
  publisher: {risk: external_io}
edges:
  - writer -> publisher
"""
BRANCHES = """
name: branches
entry: start
nodes:
  start: {}
  left: {risk: external_io}
  right: {risk: irreversible}
  free: {}
  join: {}
edges:
  - start -> left
  - start -> right
  - start -> free
  - left -> join
  - right -> join
  - free -> join
"""
GATE = """
name: gated
entry: writer
nodes:
  writer: {}
  ok: {kind: human, prompt: May this go out?}
  publisher: {}
edges:
  - writer -> ok
  - ok -> publisher
"""


async def paused(world: World, yaml: str = PUBLISH, policy: dict[str, object] | None = None) -> Run:
    """A run of alice that waits."""
    run = await world.run(workflow_yaml=yaml, policy=POLICY if policy is None else policy)
    assert run.status is RunStatus.PAUSED
    return run


def asked(run: Run) -> str:
    """Id of the first approval a run waits for."""
    assert run.pending_approval is not None
    return run.pending_approval.approval_id


async def decide(world: World, approval_id: str, decision: str, by: Principal = BOB, **more: Any) -> Approval:
    """A decision."""
    return await world.runtime.commands.decide_approval.execute(by, approval_id, decision=decision, **more)


async def ended(world: World, run_id: str) -> Run:
    """The run once nothing moves it any more."""
    return await world.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)


async def verified(world: World, run_id: str) -> bool:
    """Whether the chain is intact."""
    return bool(await world.runtime.commands.verify_run.execute(ALICE, run_id))


async def pending(world: World) -> list[Approval]:
    """What waits for the tenant."""
    page = await world.runtime.commands.list_approvals.execute(BOB, page_size=0, page_token="", run_id="")
    return list(page.approvals)


def calls(world: World, agent: str) -> int:
    """How often an agent's model was called."""
    return sum(request.agent_id == agent for request in world.provider.requests)
