"""A fork: a new run that starts with what an earlier run had committed before some point, and goes on by itself from there.

What it inherits is part of its first entry's payload, so a fork begins in one transaction, replays alone, and is erased alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, RunConflictError
from meshflow_grpc.domain.ledger_entry import GENESIS_HASH, EntryKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.engine.events import output_text
from meshflow_grpc.engine.run_record import actor_of, forked_draft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Principal, Run

FIRST_CUT = 2


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """Where a fork leaves its parent: before a place of the chain, or before a node first began. Exactly one is set."""

    before_sequence: int = 0
    before_node: str = ""

    def __post_init__(self) -> None:
        """Raises InvalidRequestError unless exactly one is set."""
        if bool(self.before_sequence) == bool(self.before_node):
            raise InvalidRequestError.of(
                FieldViolation("before_sequence", "set either before_sequence or before_node, and not both")
            )


@dataclass(frozen=True, slots=True)
class Fork:
    """A run as it stands before its first own step, and the entry that records its start."""

    run: Run
    draft: EntryDraft
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class NewFork:
    """Id and start of a fork to make; with a request id, the same request makes it once.

    ``actor`` says of who makes it what entries say of actors, where more is known than the principal. ``by_hand`` forks also what
    a program recorded, which only that program goes on with.
    """

    run_id: str
    time: str
    request_id: str | None = None
    actor: Mapping[str, JsonValue] | None = None
    by_hand: bool = False


def fork_of(parent: Run, entries: Sequence[LedgerEntry], point: ForkPoint, new: NewFork, principal: Principal) -> Fork:
    """Makes a fork under the parent's workflow, task and policy; the parent is not changed.

    Raises InvalidRequestError for a point that the run does not have, RunConflictError when what it needs was erased.
    """
    start = entries[0]
    inherited, cut = _cut(inherited_of(start), entries, point)
    kept = [entry for entry in entries[: cut - 1] if _is_commit(entry)]
    payload = _payload(start, kept, by_hand=new.by_hand)
    before = entries[cut - 2]
    inherited += [_inherit(entry) for entry in kept]
    origin: dict[str, JsonValue] = {
        "run_id": parent.run_id,
        "sequence": before.sequence,
        "hash": before.hash,
        "head": {"sequence": entries[-1].sequence, "hash": entries[-1].hash},
        "steps": len(inherited),
        "ancestors": [*ancestors_of(start), parent.run_id],
    }
    run = parent._replace(
        run_id=new.run_id,
        status=RunStatus.RUNNING,
        create_time=new.time,
        update_time=new.time,
        principal_id=principal.id,
        output="",
        usage=ZERO_USAGE,
        entries=0,
        head_hash=GENESIS_HASH,
        blocked_by=None,
        reason=None,
        request_id=new.request_id,
        pending_approval=None,
    )
    payload["inherited"] = cast("JsonValue", inherited)
    fingerprint = "" if new.request_id is None else _fingerprint(parent.run_id, point)
    return Fork(run, forked_draft(run, start, new.actor or actor_of(principal), origin, payload), fingerprint)


def _payload(start: LedgerEntry, kept: Sequence[LedgerEntry], *, by_hand: bool) -> dict[str, JsonValue]:
    """What the parent's first entry said; of a run recorded by hand it says nothing unless that is a fork."""
    recorded = "recorded" in start.facts
    if recorded and not by_hand:
        message = "the run was recorded by hand, no server goes on with it; ReplayLedger.fork forks it"
        raise RunConflictError(message, metadata={"run_id": start.run_id})
    if start.input is not None:
        return cast("dict[str, JsonValue]", json.loads(start.input))
    if recorded and "forked_from" not in start.facts and all(entry.output is not None for entry in kept):
        return {}
    raise RunConflictError(
        "the run's first payload is gone, erased or never recorded; it cannot be forked; start a new run",
        metadata={"run_id": start.run_id},
    )


def ancestors_of(start: LedgerEntry) -> list[JsonValue]:
    """The runs whose outputs a run may have inherited, oldest first; none when it is not a fork."""
    origin = cast("Mapping[str, JsonValue]", start.facts.get("forked_from", {}))
    return list(cast("Sequence[JsonValue]", origin.get("ancestors", ())))


def _fingerprint(parent_id: str, point: ForkPoint) -> str:
    """What two requests with one request id must have in common."""
    asked = json.dumps(["fork", parent_id, point.before_sequence, point.before_node])
    return sha256(asked.encode()).hexdigest()


def inherited_of(start: LedgerEntry) -> list[dict[str, JsonValue]]:
    """The steps a run has from its parent, in the order they were committed; none when it is not a fork."""
    if "forked_from" not in start.facts or start.input is None:
        return []
    return list(cast("list[dict[str, JsonValue]]", json.loads(start.input)["inherited"]))


def _cut(
    inherited: list[dict[str, JsonValue]], entries: Sequence[LedgerEntry], point: ForkPoint
) -> tuple[list[dict[str, JsonValue]], int]:
    """What is kept of the parent's own inheritance, and the sequence before which its entries are kept."""
    if point.before_node:
        for index, step in enumerate(inherited):
            if step["node_id"] == point.before_node:
                return inherited[:index], FIRST_CUT
        return inherited, _begin_of(entries, point.before_node)
    if not FIRST_CUT <= point.before_sequence <= len(entries):
        text = f"must be between {FIRST_CUT} and {len(entries)}, the run's last entry"
        raise InvalidRequestError.of(FieldViolation("before_sequence", text))
    return inherited, point.before_sequence


def _begin_of(entries: Sequence[LedgerEntry], node_id: str) -> int:
    own = (entry.sequence for entry in entries[1:] if entry.node_id == node_id)
    found = next(own, None)
    if found is None:
        known = ", ".join(sorted({entry.node_id for entry in entries if entry.node_id})) or "none"
        text = f"the run never came to node {node_id!r}; nodes it came to: {known}"
        raise InvalidRequestError.of(FieldViolation("before_node", text))
    return found


def _is_commit(entry: LedgerEntry) -> bool:
    return entry.kind is EntryKind.STEP_COMMITTED and "parent" not in entry.facts


def _inherit(entry: LedgerEntry) -> dict[str, JsonValue]:
    facts: Mapping[str, Any] = entry.facts
    return {
        "node_id": entry.node_id,
        "iteration": facts["iteration"],
        "step": facts["step"],
        "labels": list(facts["labels"]),
        "output": output_text(entry.output),
        "run_id": entry.run_id,
        "sequence": entry.sequence,
        "hash": entry.hash,
    }
