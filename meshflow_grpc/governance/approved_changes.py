"""Changes that two persons stand for: who registered what a run executes, and who approved it under the run's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import ApprovedChange

APPROVING: Final = "sox"
CHANGE: Final = "change"
"""The fact of a run's first entry: who stands for the change; null when nobody approved it."""


def change_facts(change: ApprovedChange) -> dict[str, JsonValue]:
    """As the first entry names it."""
    return {
        "approve_time": change.create_time,
        "approver": change.approver,
        "authors": list(change.authors),
        "policy_digest": change.policy_digest,
    }


def is_approved(start: Mapping[str, JsonValue]) -> bool:
    """Whether what a first entry says lets its run go on; entries of servers that did not ask do."""
    return start.get(CHANGE, {}) is not None
