"""Records of a run's journal: the run's row, and the rows of its entries that are new; JSON, sealed as a whole where there is a key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from meshflow_grpc.domain.errors import LogInconsistentError
from meshflow_grpc.domain.stored_row import EntryRow, RunRow
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, NONCE_BYTES, WrappedKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.ledger.payload_cipher import PayloadKeys

VERSION = 1
_SNAPSHOT = b'{"snapshot":true'


class Record(NamedTuple):
    """The run's row as it stands, and entries: all of them in a snapshot, the new ones otherwise."""

    run: RunRow
    entries: tuple[EntryRow, ...]
    snapshot: bool = False


def encode(record: Record, keys: PayloadKeys = NO_KEYS) -> bytes:
    """Returns the record's bytes; a snapshot can be told from its first ones."""
    entries = [{**row._asdict(), "record": bytes(_bytes(row.record)).decode()} for row in record.entries]
    content = {"run": record.run._asdict(), "entries": entries}
    if keys:
        sealed = keys.seal_record(str(record.run.run_id), orjson.dumps(content), os.urandom(NONCE_BYTES))
        content = {"key_id": sealed.key_id, "sealed": sealed.wrapped}
    return orjson.dumps({"snapshot": record.snapshot, "version": VERSION, **content})


def is_snapshot(data: bytes) -> bool:
    """Whether the bytes are a snapshot's."""
    return data.startswith(_SNAPSHOT)


def decode_all(run_id: str, data: Iterable[bytes], keys: PayloadKeys = NO_KEYS) -> Record | None:
    """Joins a journal's records; None when there are none.

    Raises LogInconsistentError for what is not ours, PayloadKeyUnavailableError for what lacks its key.
    """
    run: RunRow | None = None
    entries: list[EntryRow] = []
    for each in data:
        try:
            document: Any = orjson.loads(each)
            if document["version"] != VERSION:
                raise ValueError(document["version"])
            if "sealed" in document:
                document = _opened(run_id, document, keys)
            run = RunRow(**document["run"])
            entries += [EntryRow(**{**row, "record": row["record"].encode()}) for row in document["entries"]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LogInconsistentError(f"the checkpoint of run {run_id!r} is damaged and cannot be read") from error
    return None if run is None else Record(run, tuple(entries))


def _opened(run_id: str, document: dict[str, Any], keys: PayloadKeys) -> Any:  # noqa: ANN401 - JSON
    return orjson.loads(keys.open_record(WrappedKey(run_id, document["key_id"], document["sealed"])))


def _bytes(value: Any) -> bytes:  # noqa: ANN401 - a row's column holds any object
    return bytes(value)
