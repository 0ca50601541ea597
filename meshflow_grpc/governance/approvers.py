"""Who may decide about a step that waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.approval import Decision

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal

ROLE = "role:"


def why_not(policy: Mapping[str, JsonValue], requester: str, reviewer: Principal, decision: Decision) -> str | None:
    """Why the reviewer may not decide under the run's policy; None when they may.

    Separation of duties: under ``sox``, or when ``approvers`` are named, nobody approves what they asked for.
    """
    broken = broken_rules(policy, requester, reviewer, decision)
    if "approvers" in broken:
        return f"{reviewer.id!r} is not one of policy.human_in_loop.approvers; ask one of them"
    return (
        f"{reviewer.id!r} asked for the run and may not approve it (separation of duties); ask another approver"
        if broken
        else None
    )


def broken_rules(
    policy: Mapping[str, JsonValue], requester: str, reviewer: Principal, decision: Decision
) -> tuple[str, ...]:
    """The rules that keep the reviewer from deciding: ``approvers``, ``separation_of_duties``."""
    human = cast("Mapping[str, JsonValue]", policy["human_in_loop"])
    approvers = cast("Sequence[str]", human["approvers"])
    named = reviewer.id in approvers or any(f"{ROLE}{role}" in approvers for role in reviewer.roles)
    broken = ("approvers",) if approvers and not named else ()
    apart = bool(approvers) or "sox" in cast("Sequence[str]", policy["compliance"])
    if apart and decision is Decision.APPROVE and reviewer.id == requester:
        return (*broken, "separation_of_duties")
    return broken
