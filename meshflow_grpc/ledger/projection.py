"""What entries change in their run's projection, as the records say it, so that the run's row can be checked against the chain.

``change`` in a record holds ``header`` (first entry, erasure), ``status``, ``blocked_by`` and ``usage`` as they are, and ``output`` and
``reason``, which may hold personal data, as salted commitments. The salts are in the run's row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.ledger.canonical import NotCanonicalError, decode, encode
from meshflow_grpc.ledger.chain import opens_commitment
from meshflow_grpc.ledger.erasure import ErasedRange, covering, erased_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.stored_row import RunRow
    from meshflow_grpc.domain.usage import Usage

# What the texts of a run's row are called in commitments.
COMMITTED = {"header": "run_header", "output": "run_output", "reason": "run_reason"}
_ERASURE = EntryKind.ERASURE.value
_ENDED = frozenset(status.value for status in RunStatus if status.ended)


def header_text(row: RunRow) -> str:
    """Returns the text the first entry commits to: the columns of a run that never change, as a canonical JSON array.

    Raises NotCanonicalError when one of them holds a lone surrogate.
    """
    columns = (
        row.workflow,
        row.policy_digest,
        row.policy,
        row.create_time,
        row.principal_id,
        row.session_id,
        row.request_id,
        row.request_fingerprint,
        row.labels,
    )
    return encode(list(columns), "run").decode()


def without_person(row: RunRow) -> RunRow:
    """Returns a run's row as an erasure leaves it: what a caller may have named a person in is gone."""
    return row._replace(
        output="",
        output_salt=None,
        reason=None,
        reason_salt=None,
        session_id=None,
        request_id=None,
        request_fingerprint="",
        labels="{}",
    )


def opens_header(record: object, row: RunRow) -> bool:
    """Whether a run's row is the one that its first record committed to."""
    try:
        first: Any = decode(record) if isinstance(record, bytes) else {}
        told = first["change"]["header"]
    except (NotCanonicalError, KeyError, TypeError):
        return False
    name = COMMITTED["header"]
    text = _header_or_none(row)
    return opens_commitment(told, str(row.tenant_id), str(row.run_id), 1, name, row.header_salt, text)


def usage_change(usage: Usage) -> dict[str, int]:
    """Returns usage as a record holds it."""
    input_tokens, output_tokens, cost_nano_usd, carbon_ug, steps = usage
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cost_nano_usd": cost_nano_usd,
        "carbon_ug": carbon_ug,
        "steps": steps,
    }


class _Told(NamedTuple):
    """What the latest entry said about a field."""

    sequence: int
    value: Any


class Projection:
    """Folds records into what the run's row must say."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._usage = usage_change(ZERO_USAGE)
        self._told: dict[str, _Told] = {}
        self._newest: dict[str, Any] = {"sequence": 0, "tenant_id": None, "time": None}
        self._last: dict[str, Any] = {"sequence": 0, "kind": None}
        self._malformed: list[int] = []
        self.erased: list[ErasedRange] = []
        self.incomplete = False

    def fold(self, record: dict[str, Any]) -> None:
        """Takes one record into account, in any order."""
        sequence: int = record["sequence"]
        if sequence >= self._newest["sequence"]:
            self._newest = record
        if record["kind"] == _ERASURE:
            self._note_erasure(record)
        elif sequence >= self._last["sequence"]:
            self._last = record
        change = record["change"]
        if change is None:
            return
        try:
            for field, value in change.items():
                if field == "usage":
                    self._spend(value)
                else:
                    self._tell(sequence, field, value)
        except (AttributeError, KeyError, TypeError):
            self._malformed.append(sequence)

    def _spend(self, usage: dict[str, int]) -> None:
        totals = self._usage
        for name, amount in usage.items():
            totals[name] += amount

    def _note_erasure(self, record: dict[str, Any]) -> None:
        try:
            self.erased.extend(erased_ranges(record))
        except ValueError:
            self._malformed.append(record["sequence"])

    def _tell(self, sequence: int, field: str, value: object) -> None:
        earlier = self._told.get(field)
        if earlier is None or sequence >= earlier.sequence:
            self._told[field] = _Told(sequence, value)

    def faults(self, run: RunRow | None, head_sequence: int, head_hash: str | None) -> Iterator[tuple[int, str]]:
        """Yields where the run's row and its entries disagree: the place in the run (0 = the row) and what is wrong."""
        for sequence in self._malformed:
            yield sequence, "record: its change is not one of this format version"
        if run is None:
            yield 0, "run: its row is missing"
            return
        if run.entries != head_sequence:
            yield _wrong_length(run.entries, head_sequence)
            return
        yield from ((0, fault) for fault in self._column_faults(run, head_hash))
        yield from ((0, fault) for fault in self._commitment_faults(run))
        if run.status in _ENDED and self._last["kind"] != EntryKind.RUN_FINISHED:
            yield head_sequence, f"run: it is {run.status}, but its last entry is not run_finished"

    def _value(self, field: str) -> object:
        told = self._told.get(field)
        return None if told is None else told.value

    def _column_faults(self, run: RunRow, head_hash: str | None) -> Iterator[str]:
        expected = {
            "run_id": self._run_id,
            "tenant_id": self._newest["tenant_id"],
            "update_time": self._newest["time"],
            "status": self._value("status"),
            "blocked_by": self._value("blocked_by"),
            "head_hash": head_hash,
        }
        if not self.incomplete:
            expected |= self._usage
        for field, value in expected.items():
            column = getattr(run, field)
            if column != value:
                yield f"run: {field}: the row says {column!r}, the entries {value!r}"

    def _commitment_faults(self, run: RunRow) -> Iterator[str]:
        texts = {"header": _header_or_none(run), "output": run.output, "reason": run.reason}
        salts = {"header": run.header_salt, "output": run.output_salt, "reason": run.reason_salt}
        for field, text in texts.items():
            told, salt = self._told.get(field), salts[field]
            if told is None:
                if not self.incomplete and (salt is not None or text not in ("", None)):
                    yield f"run: {field}: the row has one, no entry says so"
            elif (
                salt is None
                and text in ("", None)
                and covering(self.erased, told.sequence, COMMITTED[field]) is not None
            ):
                continue
            elif not opens_commitment(
                told.value, str(run.tenant_id), self._run_id, told.sequence, COMMITTED[field], salt, text
            ):
                what = "workflow, policy, times, ids or labels" if field == "header" else "the text or its salt"
                yield f"run: {field}: {what} do not match the commitment in entry {told.sequence}"


def _header_or_none(run: RunRow) -> str | None:
    try:
        return header_text(run)
    except NotCanonicalError:
        return None


def _wrong_length(counted: object, head_sequence: int) -> tuple[int, str]:
    if isinstance(counted, int) and counted > head_sequence:
        missing = (
            f"entry {counted} is" if counted == head_sequence + 1 else f"entries {head_sequence + 1} to {counted} are"
        )
        return head_sequence + 1, f"sequence: {missing} missing from the end"
    return head_sequence, f"run: entries: the row counts {counted!r}, the chain has {head_sequence}"
