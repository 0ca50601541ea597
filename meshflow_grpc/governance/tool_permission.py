"""Which tools a policy permits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import Policy


def tool_refusal(policy: Policy, name: str) -> str | None:
    """Why the policy does not permit a tool, or None. ``denied_tools`` wins over ``allowed_tools``."""
    if name in policy.denied_tools:
        return "policy.denied_tools names it"
    if policy.allowed_tools is not None and name not in policy.allowed_tools:
        return "policy.allowed_tools does not name it"
    return None
