"""Payloads against the commitments in the records (checks 5 and 6)."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any

from meshflow_grpc.audit.canonical_json import NotCanonicalError, parse_object
from meshflow_grpc.audit.report import Check, Finding

if TYPE_CHECKING:
    from meshflow_grpc.audit.archive import Archive
    from meshflow_grpc.audit.report import Report
    from meshflow_grpc.audit.run_state import RunState

FILE = "payloads.jsonl"

_DOMAIN = b"meshflow/v1/payload\0"
_length = Struct(">Q").pack
_PLACE = {"run_id": str, "sequence": int, "name": str}
_place = itemgetter(*_PLACE)
_PLACE_TYPES = tuple(_PLACE.values())
_SHAPES = {
    frozenset({*_PLACE, "salt", "payload"}): "present",
    frozenset({*_PLACE, "erased"}): "erased",
    frozenset({*_PLACE, "withheld"}): "withheld",
}

Key = tuple[str, int, str]


def commitment(tenant_id: str, run_id: str, sequence: int, name: str, salt: bytes, payload: str) -> str:
    """Returns the commitment to a payload in hex; raises ValueError for text that is not valid Unicode."""
    owner, label, data, place = _owner(tenant_id, run_id), _framed(name), payload.encode(), b"%d" % sequence
    framed = (owner, _length(len(place)), place, label, _length(len(salt)), salt, _length(len(data)), data)
    return sha256(b"".join(framed)).hexdigest()


@lru_cache(maxsize=4096)
def _owner(tenant_id: str, run_id: str) -> bytes:
    return _DOMAIN + _framed(tenant_id) + _framed(run_id)


@lru_cache(maxsize=64)
def _framed(text: str) -> bytes:
    """A text behind its length."""
    data = text.encode()
    return _length(len(data)) + data


def opens(told: str, tenant_id: str, run_id: str, sequence: int, name: str, salt: object, payload: object) -> bool:
    """Whether salt (64 lower-case hex digits) and payload are those a commitment was made of."""
    if not isinstance(salt, str) or not isinstance(payload, str) or len(salt) != 64:
        return False
    try:
        raw = bytes.fromhex(salt)
        return raw.hex() == salt and commitment(tenant_id, run_id, sequence, name, raw, payload) == told
    except ValueError:
        return False


class PayloadAudit:
    """The payloads of a bundle, each compared once with the record that commits to it."""

    def __init__(self, archive: Archive, report: Report) -> None:
        self._report = report
        # Plain tuples, which cost the garbage collector nothing: salt and payload, or neither.
        self._rows: dict[Key, tuple[object, ...]] = {}
        self._states: dict[Key, str] = {}
        for number, data in archive.lines(FILE):
            self._load(number, data)

    def states(self) -> dict[str, int]:
        """Returns how many payloads there are of each state."""
        counts = {"present": 0, "erased": 0, "withheld": 0}
        for state in self._states.values():
            counts[state] += 1
        return counts

    def compare(self, record: dict[str, Any], name: str) -> None:
        """Compares one payload of a record, if it has one."""
        told = record[name]
        run_id, sequence = record["run_id"], record["sequence"]
        row = self._rows.pop((run_id, sequence, name), None)
        if row is None:
            if told is not None:
                self._find(run_id, sequence, name, "the record commits to a payload, and there is none here")
        elif told is None:
            self._find(run_id, sequence, name, "there is a payload, and the record commits to none")
        elif row and not opens(told, record["tenant_id"], run_id, sequence, name, *row):
            self._find(run_id, sequence, name, "salt and payload do not match the commitment in the record")

    def finish(self, runs: dict[str, RunState]) -> None:
        """Reports payloads of no record, and compares what is gone with what the erasure entries say."""
        for run_id, sequence, name in self._rows:
            self._find(run_id, sequence, name, "no record of the bundle has this payload")
        for (run_id, sequence, name), state in self._states.items():
            run = runs.get(run_id)
            erasure = (
                run.erasure_of(sequence, name) if run is not None and (run.erasures or state == "erased") else None
            )
            if erasure is None and state == "erased":
                self._find(run_id, sequence, name, "is erased, and no erasure entry says so", Check.ERASURES)
            elif erasure is not None and state != "erased":
                message = f"entry {erasure.sequence} says it was erased, but it is {state}"
                self._find(run_id, sequence, name, message, Check.ERASURES)

    def _load(self, number: int, data: bytes) -> None:
        try:
            row = parse_object(data)
        except NotCanonicalError as error:
            self._report.add(Finding(Check.PAYLOADS, FILE, f"the line {error}", number))
            return
        state = _SHAPES.get(frozenset(row))
        if state is None or tuple(map(type, _place(row))) != _PLACE_TYPES:
            self._report.add(Finding(Check.PAYLOADS, FILE, "the line is not a payload", number))
            return
        if state != "present" and row[state] is not True:
            self._report.add(Finding(Check.PAYLOADS, FILE, "must say true or be left out", number, field=state))
        key: Key = _place(row)
        if key in self._rows:
            self._find(*key, "is there twice")
        self._rows[key] = (row["salt"], row["payload"]) if state == "present" else ()
        self._states[key] = state

    def _find(self, run_id: str, sequence: int, name: str, message: str, check: Check = Check.PAYLOADS) -> None:
        self._report.add(Finding(check, FILE, message, run_id=run_id, sequence=sequence, field=name))
