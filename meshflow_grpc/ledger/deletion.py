"""Tombstones: the entry that remains of a deleted run, and accounts for the seqs that are gone (docs/ledger-format.md, "Deletion")."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.ledger.canonical import NotCanonicalError, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshflow_grpc.domain.json_value import JsonValue

Span = tuple[int, int]
"""First and last of consecutive seqs."""


class Deletion(NamedTuple):
    """What a tombstone says: the entries 1 to ``last`` of a run, which had these seqs, were deleted."""

    run_id: str
    last: int
    spans: tuple[Span, ...]
    time: str
    principal_id: str
    basis: str

    @property
    def entries(self) -> int:
        """How many entries were deleted."""
        return sum(last - first + 1 for first, last in self.spans)


def new_deletion(run_id: str, tenant_id: str, time: str, principal_id: str, basis: str) -> EntryDraft:
    """Builds the tombstone of a run; ``basis`` is the legal ground, never personal data."""
    if not basis.strip():
        raise InvalidRequestError.of(FieldViolation("basis", "must say why, for example 'gdpr art. 17(1)(b)'"))
    facts: dict[str, JsonValue] = {"actor": {"principal": principal_id}, "basis": basis}
    return EntryDraft(run_id, tenant_id, EntryKind.RUN_DELETED, time, step_id="deletion", facts=facts)


def deletion_draft(draft: EntryDraft, last: int, seqs: Iterable[int]) -> EntryDraft:
    """Completes a tombstone with what it accounts for; raises InvalidRequestError unless it says who and why, and no more."""
    facts: Any = draft.facts
    actor = facts.get("actor")
    said = isinstance(actor, dict) and isinstance(actor.get("principal"), str) and isinstance(facts.get("basis"), str)
    if draft.kind is not EntryKind.RUN_DELETED or not said or draft.input is not None or draft.output is not None:
        raise InvalidRequestError.of(
            FieldViolation("draft", "a tombstone has facts.actor.principal, facts.basis and no payload")
        )
    spans: list[JsonValue] = [[first, end] for first, end in spans_of(seqs)]
    return draft._replace(facts={**facts, "deleted": {"last": last, "seqs": spans}})


def deletion_of(record: dict[str, Any]) -> Deletion:
    """Returns what a tombstone's record says; raises ValueError when it is not of the documented form."""
    facts = record["facts"]
    try:
        deleted = facts["deleted"]
        spans = tuple((int(first), int(last)) for first, last in deleted["seqs"])
        who, why = str(facts["actor"]["principal"]), str(facts["basis"])
        deletion = Deletion(str(record["run_id"]), int(deleted["last"]), spans, str(record["time"]), who, why)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("facts do not state actor.principal, basis and deleted{last, seqs}") from error
    before = record["sequence"] - 1
    if any(first > last for first, last in spans) or deletion.last != before or deletion.entries != before:
        raise ValueError("facts.deleted does not name the entries before the tombstone, each once")
    return deletion


def deleted_spans(records: Iterable[object]) -> tuple[Span, ...]:
    """Returns the seqs that stored tombstones account for; what is no tombstone accounts for nothing."""
    spans: list[Span] = []
    for stored in records:
        try:
            record: Any = decode(stored) if isinstance(stored, bytes) else None
            spans += deletion_of(record).spans if isinstance(record, dict) else ()
        except (NotCanonicalError, ValueError, KeyError):
            continue
    return tuple(sorted(spans))


def spans_of(seqs: Iterable[int]) -> list[Span]:
    """Joins consecutive numbers."""
    spans: list[Span] = []
    for seq in sorted(seqs):
        if spans and spans[-1][1] == seq - 1:
            spans[-1] = (spans[-1][0], seq)
        else:
            spans.append((seq, seq))
    return spans


def within(span: Span, spans: Sequence[Span]) -> bool:
    """Whether one of sorted, disjoint spans holds the whole of a span."""
    place = bisect_right(spans, span[0], key=lambda each: each[0]) - 1
    return place >= 0 and spans[place][0] <= span[0] and span[1] <= spans[place][1]


def without(span: Span, spans: Iterable[Span]) -> list[Span]:
    """Returns what sorted spans leave of a span."""
    first, last = span
    left: list[Span] = []
    for begin, end in spans:
        if end < first or begin > last:
            continue
        if begin > first:
            left.append((first, begin - 1))
        first = end + 1
    if first <= last:
        left.append((first, last))
    return left
