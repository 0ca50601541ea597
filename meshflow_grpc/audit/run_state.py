"""What the records of one run say, folded as they pass."""

from __future__ import annotations

from typing import Any, NamedTuple

USAGE = ("input_tokens", "output_tokens", "cost_nano_usd", "carbon_ug", "steps")
_USAGE = frozenset(USAGE)
_INTEGERS = frozenset({int})
ERASURE_KIND = "erasure"

_TOLD = {"status": str, "blocked_by": str, "header": str, "output": str, "reason": str}


class MalformedError(ValueError):
    """A record's ``change`` or an erasure's facts do not have the documented form."""


class Told(NamedTuple):
    """The latest value of a field and the entry that said it."""

    sequence: int
    value: str


class Erasure(NamedTuple):
    """An erasure entry's statement about the payloads ``names`` of the entries first to last."""

    first: int
    last: int
    names: frozenset[str]
    sequence: int
    time: str
    by: str
    basis: str

    def covers(self, sequence: int, name: str) -> bool:
        """Whether it says that this payload of an earlier entry was erased."""
        return self.first <= sequence <= min(self.last, self.sequence - 1) and name in self.names


class RunState:
    """One run, as far as its records have passed."""

    __slots__ = (
        "erasures",
        "finished",
        "head",
        "kind_after_end",
        "run_id",
        "sequence",
        "tenant_id",
        "time",
        "told",
        "usage",
    )

    def __init__(self, run_id: str, tenant_id: str) -> None:
        self.run_id = run_id
        self.tenant_id = tenant_id
        self.sequence = 0
        self.head = "0" * 64
        self.time = ""
        self.told: dict[str, Told] = {}
        self.usage = dict.fromkeys(USAGE, 0)
        self.finished = 0
        self.kind_after_end = ""
        self.erasures: list[Erasure] = []

    def fold(self, record: dict[str, Any], digest: str) -> None:
        """Takes the next record into account; raises MalformedError when it is not of the documented form."""
        self.sequence, self.head, self.time = record["sequence"], digest, record["time"]
        kind = record["kind"]
        if kind == "run_finished":
            self.finished, self.kind_after_end = self.sequence, ""
        elif kind == ERASURE_KIND:
            self._note_erasures(record)
        elif self.finished:
            self.kind_after_end = kind
        if record["change"] is not None:
            self._change(record["change"])

    def erasure_of(self, sequence: int, name: str) -> Erasure | None:
        """Returns the erasure entry that covers a payload."""
        return next((erasure for erasure in self.erasures if erasure.covers(sequence, name)), None)

    def _change(self, change: dict[str, Any]) -> None:
        for field, value in change.items():
            if field == "usage":
                self._add_usage(value)
            elif type(value) is not _TOLD.get(field):
                message = f"change.{field} is not of this format version"
                raise MalformedError(message)
            else:
                self.told[field] = Told(self.sequence, value)

    def _add_usage(self, usage: object) -> None:
        if not isinstance(usage, dict) or usage.keys() != _USAGE or not _INTEGERS.issuperset(map(type, usage.values())):
            message = "change.usage does not hold its five integers"
            raise MalformedError(message)
        for name in USAGE:
            self.usage[name] += usage[name]

    def _note_erasures(self, record: dict[str, Any]) -> None:
        facts = record["facts"]
        try:
            for erased in facts["erased"]:
                self.erasures.append(
                    Erasure(
                        int(erased["first"]),
                        int(erased["last"]),
                        frozenset(erased["names"]),
                        self.sequence,
                        self.time,
                        str(facts["actor"]["principal"]),
                        str(facts["basis"]),
                    )
                )
        except (KeyError, TypeError, ValueError) as error:
            message = (
                "an erasure entry must state facts.actor.principal, facts.basis and facts.erased[first, last, names]"
            )
            raise MalformedError(message) from error
