"""Erasure entries: what they say, and which payloads they cover. The offline verifier reads the same form (docs/evidence-bundle.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.json_value import JsonValue

ERASED_NAMES: Final = ("input", "output", "run_output", "run_reason", "run_header")


class ErasedRange(NamedTuple):
    """One range of an erasure entry: the payloads ``names`` of the entries first to last."""

    first: int
    last: int
    names: frozenset[str]
    sequence: int
    time: str
    principal_id: str
    basis: str

    def covers(self, sequence: int, name: str) -> bool:
        """Whether it says that this payload of an earlier entry was erased."""
        return self.first <= sequence <= min(self.last, self.sequence - 1) and name in self.names


def new_erasure(run_id: str, tenant_id: str, time: str, principal_id: str, basis: str) -> EntryDraft:
    """Builds the entry that erases a run's payloads, once; ``basis`` is the legal ground, never personal data."""
    if not basis.strip():
        raise InvalidRequestError.of(FieldViolation("basis", "must say why, for example 'gdpr art. 17(1)(b)'"))
    facts: dict[str, JsonValue] = {"actor": {"principal": principal_id}, "basis": basis}
    return EntryDraft(run_id, tenant_id, EntryKind.ERASURE, time, step_id="erasure", facts=facts)


def erasure_draft(draft: EntryDraft, last: int) -> EntryDraft:
    """Completes an erasure with the entries it covers; raises InvalidRequestError unless it says who and why, and no more."""
    facts: Any = draft.facts
    actor = facts.get("actor")
    said = isinstance(actor, dict) and isinstance(actor.get("principal"), str) and isinstance(facts.get("basis"), str)
    if draft.kind is not EntryKind.ERASURE or not said or draft.input is not None or draft.output is not None:
        raise InvalidRequestError.of(
            FieldViolation("draft", "an erasure entry has facts.actor.principal, facts.basis and no payload")
        )
    return draft._replace(facts={**facts, "erased": [{"first": 1, "last": last, "names": list(ERASED_NAMES)}]})


def erased_ranges(record: dict[str, Any]) -> tuple[ErasedRange, ...]:
    """Returns the ranges of an erasure entry's record; raises ValueError when it is not of the documented form."""
    facts = record["facts"]
    try:
        return tuple(
            ErasedRange(
                int(erased["first"]),
                int(erased["last"]),
                frozenset(erased["names"]),
                record["sequence"],
                str(record["time"]),
                str(facts["actor"]["principal"]),
                str(facts["basis"]),
            )
            for erased in facts["erased"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("facts do not state actor.principal, basis and erased[first, last, names]") from error


def covering(ranges: Iterable[ErasedRange], sequence: int, name: str) -> ErasedRange | None:
    """Returns the erasure that names a payload, if any does."""
    return next((each for each in ranges if each.covers(sequence, name)), None)
