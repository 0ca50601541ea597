"""The hash chain: an entry's record holds its predecessor's hash; payloads are bound by salted commitments.

Format version 1; docs/ledger-format.md describes it for a second implementation.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.ledger_entry import LedgerEntry
from meshflow_grpc.ledger.canonical import NotCanonicalError, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import EntryDraft

FORMAT_VERSION: Final = 1
SALT_BYTES: Final = 32

_CHAIN_DOMAIN = b"meshflow/v1/chain\0"
_PAYLOAD_DOMAIN = b"meshflow/v1/payload\0"
_length = Struct(">Q").pack
# What a named tuple's own constructor does, in less time.
_new = tuple.__new__

# hashlib gives up the interpreter lock from 2,048 bytes on; beside a busy loop, taking it back costs a switch interval.
_LOCK_KEEPING_BYTES = 2047
_LOCK_GIVING_BYTES = 1 << 18


def entry_hash(record: bytes) -> str:
    """Returns the hash of an entry: hex SHA-256 over domain, length and the record's bytes."""
    return _digest(b"%b%b%b" % (_CHAIN_DOMAIN, _length(len(record)), record))


class Committer:
    """Commits to the texts of one entry, each with a fresh salt: its payloads, and what it says of its run's row.

    ``sequence`` is the entry's place in its run; ``next_salt`` gives 32 fresh random bytes a call.
    """

    __slots__ = ("_next_salt", "_place", "sequence")

    def __init__(self, tenant_id: str, run_id: str, sequence: int, next_salt: Callable[[], bytes]) -> None:
        self.sequence = sequence
        self._place = commitment_place(tenant_id, run_id, sequence)
        self._next_salt = next_salt

    def commit(self, name: str, text: str) -> tuple[str, str]:
        """Returns the commitment to a text, and its salt in hex; raises NotCanonicalError for one that is not valid Unicode."""
        salt = self._next_salt()
        return _commitment(self._place, name, salt, text), salt.hex()


def payload_commitment(tenant_id: str, run_id: str, sequence: int, name: str, salt: bytes, payload: str) -> str:
    """Returns the commitment to a payload: hex SHA-256 over domain and length-prefixed fields.

    Without the salt the payload cannot be guessed from it, so erasing payload and salt leaves no personal data behind.
    Raises NotCanonicalError for a payload that is not valid Unicode.
    """
    return _commitment(commitment_place(tenant_id, run_id, sequence), name, salt, payload)


def _commitment(place: bytes, name: str, salt: bytes, text: str) -> str:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError.at(name, "the text holds a lone surrogate") from error
    return _digest(b"".join((place, _label(name, len(salt)), salt, _length(len(data)), data)))


def commitment_place(tenant_id: str, run_id: str, sequence: int) -> bytes:
    """Returns the part of a commitment's input that all texts of an entry share; raises NotCanonicalError for ids that are not text."""
    try:
        owner = _owner(tenant_id, run_id)
    except UnicodeEncodeError as error:
        raise NotCanonicalError.at("run", "its tenant or its id holds a lone surrogate") from error
    place = b"%d" % sequence
    return b"%b%b%b" % (owner, _length(len(place)), place)


@lru_cache(maxsize=4096)
def _owner(tenant_id: str, run_id: str) -> bytes:
    """The part of a commitment's input that is the same for a whole run."""
    tenant, run = tenant_id.encode(), run_id.encode()
    return b"".join((_PAYLOAD_DOMAIN, _length(len(tenant)), tenant, _length(len(run)), run))


@lru_cache(maxsize=64)
def _label(name: str, salt_bytes: int) -> bytes:
    """The part of a commitment's input between place and salt."""
    label = name.encode()
    return b"".join((_length(len(label)), label, _length(salt_bytes)))


def _digest(data: bytes) -> str:
    if not _LOCK_KEEPING_BYTES < len(data) <= _LOCK_GIVING_BYTES:
        return sha256(data).hexdigest()
    state = sha256()
    for start in range(0, len(data), _LOCK_KEEPING_BYTES):
        state.update(data[start : start + _LOCK_KEEPING_BYTES])
    return state.hexdigest()


def link(
    draft: EntryDraft,
    committer: Committer,
    seq: int,
    prev_hash: str,
    change: Mapping[str, JsonValue] | None = None,
) -> LedgerEntry:
    """Turns a draft into the entry at the committer's place; ``change`` is what the entry changes in the run's projection.

    ``seq`` is its place in the whole ledger. Raises NotCanonicalError when a fact has no canonical form.
    """
    run_id, tenant_id, kind, time, node_id, step_id, attempt, facts, input_, output = draft
    sequence = committer.sequence
    input_commitment = input_salt = output_commitment = output_salt = None
    if input_ is not None:
        input_commitment, input_salt = committer.commit("input", input_)
    if output is not None:
        output_commitment, output_salt = committer.commit("output", output)
    record = encode_record(
        {
            "v": FORMAT_VERSION,
            "run_id": run_id,
            "tenant_id": tenant_id,
            "sequence": sequence,
            "kind": kind._value_,
            "time": time,
            "node_id": node_id,
            "step_id": step_id,
            "attempt": attempt,
            "prev_hash": prev_hash,
            "input": input_commitment,
            "output": output_commitment,
            "change": change,
            "facts": facts,
        }
    )
    return _new(
        LedgerEntry,
        (
            seq,
            run_id,
            tenant_id,
            sequence,
            kind,
            time,
            node_id,
            step_id,
            attempt,
            facts,
            input_,
            output,
            input_salt,
            output_salt,
            prev_hash,
            entry_hash(record),
            record,
        ),
    )


def opens_commitment(
    commitment: str, tenant_id: str, run_id: str, sequence: int, name: str, salt: object, payload: object
) -> bool:
    """Whether a stored salt (lower-case hex) and payload are those a commitment was made of; any stored value may be given."""
    try:
        place = commitment_place(tenant_id, run_id, sequence)
    except NotCanonicalError:
        return False
    return opens_commitment_at(place, commitment, name, salt, payload)


def opens_commitment_at(place: bytes, commitment: str, name: str, salt: object, payload: object) -> bool:
    """The same for an entry's place, which all its payloads share."""
    if not isinstance(salt, str) or not isinstance(payload, str):
        return False
    try:
        raw = bytes.fromhex(salt)
        return raw.hex() == salt and len(raw) == SALT_BYTES and _commitment(place, name, raw, payload) == commitment
    except (ValueError, NotCanonicalError):
        return False
