"""Records of a run's journal: the run's row, and the rows of its entries that are new; JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from meshflow_grpc.domain.errors import LogInconsistentError
from meshflow_grpc.domain.stored_row import EntryRow, RunRow

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = 1
_SNAPSHOT = b'{"snapshot":true'


class Record(NamedTuple):
    """The run's row as it stands, and entries: all of them in a snapshot, the new ones otherwise."""

    run: RunRow
    entries: tuple[EntryRow, ...]
    snapshot: bool = False


def encode(record: Record) -> bytes:
    """Returns the record's bytes; a snapshot can be told from its first ones."""
    entries = [{**row._asdict(), "record": bytes(_bytes(row.record)).decode()} for row in record.entries]
    return orjson.dumps(
        {"snapshot": record.snapshot, "version": VERSION, "run": record.run._asdict(), "entries": entries}
    )


def is_snapshot(data: bytes) -> bool:
    """Whether the bytes are a snapshot's."""
    return data.startswith(_SNAPSHOT)


def decode_all(run_id: str, data: Iterable[bytes]) -> Record | None:
    """Joins a journal's records; None when there are none. Raises LogInconsistentError for what is not ours."""
    run: RunRow | None = None
    entries: list[EntryRow] = []
    for each in data:
        try:
            document: Any = orjson.loads(each)
            if document["version"] != VERSION:
                raise ValueError(document["version"])
            run = RunRow(**document["run"])
            entries += [EntryRow(**{**row, "record": row["record"].encode()}) for row in document["entries"]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LogInconsistentError(f"the checkpoint of run {run_id!r} is damaged and cannot be read") from error
    return None if run is None else Record(run, tuple(entries))


def _bytes(value: Any) -> bytes:  # noqa: ANN401 - a row's column holds any object
    return bytes(value)
