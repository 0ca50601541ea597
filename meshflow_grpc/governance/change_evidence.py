"""Evidence of what ran: under one policy, by pinned agents, and as a second person approved it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.governance.approved_changes import CHANGE
from meshflow_grpc.governance.run_evidence import ControlResult, Finding, judged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.governance.compliance import Control
    from meshflow_grpc.governance.run_evidence import RunEvidence


def change_control(control: Control, evidence: RunEvidence) -> ControlResult:
    """Every step ran under the policy of the start, and each agent under one digest."""
    start = evidence.start
    if start is None:
        return ControlResult(control, Finding.NOT_EVIDENCED, "no entry says how the run was started")
    digest = start.facts["policy_digest"]
    pinned: dict[str, object] = {}
    changed = []
    for entry in evidence.steps:
        agent = cast("Mapping[str, str]", entry.facts["actor"]).get("agent_digest")
        if entry.facts["policy_digest"] != digest or pinned.setdefault(entry.node_id, agent) != agent or not agent:
            changed.append(entry)
    return judged(
        control, changed, "policy or agent changed", f"policy {str(digest)[:12]}, {len(pinned)} pinned agents"
    )


def approved_changes(control: Control, evidence: RunEvidence) -> ControlResult:
    """Whoever approved the workflow under the policy is none of those who registered it."""
    start = evidence.start
    if start is None or CHANGE not in start.facts:
        return ControlResult(control, Finding.NOT_EVIDENCED, "the run's start does not say whether anybody approved it")
    change = cast("Mapping[str, Any] | None", start.facts[CHANGE])
    if change is None:
        if not evidence.executed:
            return ControlResult(control, Finding.PASS, "nobody approved it, and no step was executed")
        return judged(control, (start,), "nobody approved this workflow under this policy", "")
    authors = ", ".join(change["authors"]) or "the server's package"
    own = (start,) if change["approver"] in change["authors"] else ()
    good = f"by {authors}, approved by {change['approver']} at {change['approve_time']}"
    return judged(control, own, "an author approved their own", good)
