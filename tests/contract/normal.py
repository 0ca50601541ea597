"""What two faces must agree on: an answer without what belongs to the one run."""

from __future__ import annotations

import re
from typing import Any

from tests.contract.faces import Answer

# Names, times and hashes of a run, and who asked; `sequence` stays, the place in the whole ledger does not.
OWN = {
    *("run_id", "request_id", "approval_id", "requester", "reviewer", "next_page_token", "input"),
    *("create_time", "update_time", "expire_time", "decide_time", "duration_ms", "time", "uptime_s"),
    *("hash", "prev_hash", "record", "seq", "log_size", "action_digest"),
}
# What `meshflow ledger verify` leaves out, and what depends on when the last head was signed.
OFFLINE = {"erasures", "entries_in_log"}
KEY_ID = re.compile(r"\b(operator|viewer|approver|admin)\d+")
COUNTS = ("total_tokens", "tokens", "ledger_entries", "entries_checked", "token_delta", "sequence", "estimated_tokens")


def normal(value: Any, volatile: frozenset[str] = frozenset()) -> Any:
    """Leaves out what is the run's own, at any depth."""
    if isinstance(value, dict):
        left_out = OWN | OFFLINE | volatile
        return {key: normal(item, volatile) for key, item in value.items() if key not in left_out}
    if isinstance(value, list):
        return [normal(item, volatile) for item in value]
    return KEY_ID.sub(r"\1", value) if isinstance(value, str) else value


def normal_error(answer: Answer, face_may_refuse_first: bool) -> dict[str, Any] | None:
    """Reason and fields; a request that a face refuses before it sends anything is the same invalid request."""
    if answer.error is None:
        return None
    unsendable = answer.error["code"] == "UNSENDABLE"
    assert face_may_refuse_first or not unsendable, answer.error
    fields = sorted(snake(each["field"]) for each in answer.error["violations"])
    if unsendable and not fields:
        # Go's and Java's types have no place for such a field: nothing more can be said than that.
        return {"reason": "INVALID_REQUEST", "fields": None}
    reason = "INVALID_REQUEST" if unsendable else answer.error["reason"]
    return {"reason": reason, "fields": fields}


def snake(name: str) -> str:
    """TypeScript names fields in its own way."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: "_" + match[1].lower(), name)


def counts_are_numbers(value: Any) -> bool:
    """Whether every count is a whole JSON number, at any depth."""
    if isinstance(value, list):
        return all(map(counts_are_numbers, value))
    if not isinstance(value, dict):
        return True
    right = all(type(value[key]) is int for key in COUNTS if key in value)
    return right and all(map(counts_are_numbers, value.values()))
