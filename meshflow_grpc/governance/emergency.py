"""Emergency access (45 CFR 164.312(a)(2)(ii)): a paused step is approved by who may not, and a second person reviews it later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from meshflow_grpc.domain.approval import Decision
from meshflow_grpc.domain.errors import (
    FieldViolation,
    InvalidRequestError,
    PermissionDeniedError,
    ReauthenticationRequiredError,
)
from meshflow_grpc.governance.approvers import broken_rules
from meshflow_grpc.governance.reauthentication import AGE, BOUND, age_s

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal

EMERGENCY: Final = "emergency"
"""The role that may break the glass, and nothing else."""
BREAK_GLASS: Final = "break_glass"
"""The fact of a gate_decided entry that says which rules were waived, and how fresh the sign-in was."""
REVIEWS: Final = "reviews"
"""The fact of the first entry of the run that records a review: the decision it is about, and what was found."""
_APPROVING = frozenset({"approver", "admin"})


@dataclass(frozen=True, slots=True)
class EmergencyAccess:
    """Who may approve in an emergency: only in the first ``max_age_s`` seconds after they signed in."""

    max_age_s: int = 900

    def waived(
        self,
        policy: Mapping[str, JsonValue],
        requester: str,
        reviewer: Principal,
        decision: Decision,
        comment: str,
        now: str,
    ) -> Mapping[str, JsonValue]:
        """What the decision's entry says of the emergency.

        Raises PermissionDeniedError without the role, ReauthenticationRequiredError without a fresh sign-in, and InvalidRequestError
        without a reason, for a rejection, and where there is nothing to waive.
        """
        if EMERGENCY not in reviewer.roles:
            raise PermissionDeniedError(f"break_glass needs the role {EMERGENCY}", metadata={"roles": EMERGENCY})
        problems = []
        if decision is not Decision.APPROVE:
            problems.append(FieldViolation(BREAK_GLASS, "is for approving; rejecting harms nobody"))
        if not comment.strip():
            problems.append(FieldViolation("comment", "must say what the emergency is"))
        rules = broken_rules(policy, requester, reviewer, decision)
        if not reviewer.roles & _APPROVING:
            rules = ("role", *rules)
        if not rules:
            problems.append(FieldViolation(BREAK_GLASS, "is not needed: you may approve without it"))
        if problems:
            raise InvalidRequestError.of(*problems)
        age = age_s(reviewer, now)
        if age is None or age > self.max_age_s:
            told = "the credential does not say when" if age is None else f"it was {age} s ago"
            raise ReauthenticationRequiredError(
                f"break_glass needs a sign-in of the last {self.max_age_s} s, and {told}; sign in again",
                metadata={BOUND: str(self.max_age_s), **({} if age is None else {AGE: str(age)})},
            )
        return {AGE: age, BOUND: self.max_age_s, "waived": list(rules)}


def may_only_break_glass(principal: Principal) -> bool:
    """Whether the emergency role is all that lets somebody decide."""
    return EMERGENCY in principal.roles and not principal.roles & _APPROVING


def review_run_id(approval_id: str) -> str:
    """The run that records the review of an emergency approval: there can be one."""
    return f"run_review_{approval_id}"


def review_of(start: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """What a review's first entry says it is about and found; empty when it is no review."""
    return cast("Mapping[str, JsonValue]", start.get(REVIEWS, {}))


def used_in(facts: Mapping[str, JsonValue]) -> Sequence[str] | None:
    """The rules that a gate_decided entry waived; None when it was no emergency."""
    found = facts.get(BREAK_GLASS)
    return cast("Sequence[str]", found["waived"]) if isinstance(found, Mapping) else None
