"""Records as stored, parsed for verification: the bytes are canonical, and have the fields of this format version."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import orjson

from meshflow_grpc.ledger.canonical import NotCanonicalError, decode, encode_plain, is_plain
from meshflow_grpc.ledger.chain import FORMAT_VERSION

_TEXT_FIELDS = ("run_id", "tenant_id", "kind", "node_id", "step_id", "time", "prev_hash")
_TEXTS = itemgetter(*_TEXT_FIELDS)
_TEXT = frozenset({str})
# What is canonical has its keys in this order.
_FIELDS = tuple(sorted((*_TEXT_FIELDS, "v", "sequence", "attempt", "input", "output", "change", "facts")))


def parsed(data: bytes) -> dict[str, Any]:
    """Returns a record; raises NotCanonicalError unless it is canonical and has the fields of this format version."""
    sound = _sound(data)
    if sound is not None:
        return sound
    record = decode(data)
    if not isinstance(record, dict) or tuple(record) != _FIELDS:
        raise NotCanonicalError.at("record", "does not have the fields of an entry")
    if record["v"] != FORMAT_VERSION or type(record["v"]) is not int:
        raise NotCanonicalError.at("record", f"has format version {record['v']!r}, this program knows {FORMAT_VERSION}")
    if not _TEXT.issuperset(map(type, _TEXTS(record))):
        raise NotCanonicalError.at("record", f"{', '.join(_TEXT_FIELDS)} must be texts")
    if type(record["sequence"]) is not int or type(record["attempt"]) is not int:
        raise NotCanonicalError.at("record", "sequence and attempt must be integers")
    return record


def _sound(data: bytes) -> dict[str, Any] | None:
    """Returns a record of the usual form, in less time than ``decode`` takes; None where that has to say what is wrong, if anything."""
    try:
        record: Any = orjson.loads(data)
        if type(record) is not dict or tuple(record) != _FIELDS or not data.isascii():
            return None
        plain = _of_known_types(*record.values()) and encode_plain(record) == data
    except (orjson.JSONDecodeError, NotCanonicalError):
        return None
    return record if plain else None


def _of_known_types(
    attempt: object,
    change: object,
    facts: object,
    input_: object,
    kind: object,
    node_id: object,
    output: object,
    prev_hash: object,
    run_id: object,
    sequence: object,
    step_id: object,
    tenant_id: object,
    time: object,
    version: object,
) -> bool:
    """Whether no field is, or holds, a fraction or what else the encoder would take for a value of the model."""
    return (
        type(run_id) is type(tenant_id) is type(kind) is type(node_id) is str
        and type(step_id) is type(time) is type(prev_hash) is str
        and type(sequence) is type(attempt) is type(version) is int
        and version == FORMAT_VERSION
        and (input_ is None or type(input_) is str)
        and (output is None or type(output) is str)
        and (change is None or is_plain(change))
        and is_plain(facts)
    )
