"""What a store does to texts on their way into rows, and on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.ledger.payload_cipher import (
    MARK,
    NONCE_BYTES,
    Opened,
    UnreadableError,
    is_sealed,
    owner_of,
    place_of,
    plain,
    verbatim,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.ledger.payload_cipher import DataKey
    from meshflow_grpc.storage.batch import RunUpdate

# The salt column of a sealed text, whose salt is sealed with it.
SALT_INSIDE = ""

_PAYLOADS = ("input", "output")
_TEXTS = (("output", "run_output"), ("reason", "run_reason"))


class Sealer:
    """Seals the texts of one run, or marks them as plain where it has no key."""

    def __init__(self, tenant_id: str, run_id: str, key: DataKey | None, next_salt: Callable[[], bytes]) -> None:
        self._owner = owner_of(tenant_id, run_id) if key is not None else b""
        self._key = key
        self._next_salt = next_salt

    def entry(self, entry: LedgerEntry) -> LedgerEntry:
        """Returns an entry as it is stored."""
        if self._key is None and not (_marked(entry.input) or _marked(entry.output)):
            return entry
        sequence, texts = entry.sequence, {"input": entry.input, "output": entry.output}
        salts = {"input": entry.input_salt, "output": entry.output_salt}
        changed: dict[str, str | None] = {}
        for name, text in texts.items():
            if text is not None:
                changed[name], changed[f"{name}_salt"] = self._stored(place_of(sequence, name), text, salts[name])
        return entry._replace(**changed)  # type: ignore[arg-type]  # text fields by name

    def run(self, row: RunRow) -> RunRow:
        """Returns a run's row as it is stored."""
        return row._replace(**self._texts(row)) if self._changes(row) else row

    def update(self, update: RunUpdate) -> RunUpdate:
        """Returns an update as it is stored."""
        return update._replace(**self._texts(update)) if self._changes(update) else update

    def _changes(self, row: RunRow | RunUpdate) -> bool:
        return self._key is not None or _marked(row.output) or _marked(row.reason)

    def _texts(self, row: RunRow | RunUpdate) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for name, place in _TEXTS:
            text: Any = getattr(row, name)
            if text is not None:
                sealed = self._stored(place_of(0, place), text, getattr(row, f"{name}_salt"))
                columns[name], columns[f"{name}_salt"] = sealed
        return columns

    def _stored(self, place: bytes, text: str, salt: str | None) -> tuple[str, str | None]:
        if self._key is None:
            return verbatim(text), salt
        return self._key.seal(self._owner, place, text, salt, self._next_salt()[:NONCE_BYTES]), SALT_INSIDE


def entry_sealed(entry: LedgerEntry | EntryRow) -> bool:
    """Whether a key is needed to read an entry."""
    return is_sealed(entry.input) or is_sealed(entry.output)


def run_sealed(run: Run | RunRow) -> bool:
    """Whether a key is needed to read a run."""
    return is_sealed(run.output) or is_sealed(run.reason)


def opened_entry(entry: LedgerEntry, key: DataKey | None) -> LedgerEntry:
    """Returns an entry as it was written; raises LedgerUnavailableError when what is stored is not what was sealed."""
    changed: dict[str, str | None] = {}
    for name, text, salt in zip(
        _PAYLOADS, (entry.input, entry.output), (entry.input_salt, entry.output_salt), strict=True
    ):
        if text is not None and _marked(text):
            opened = _opened(key, entry, place_of(entry.sequence, name), Opened(text, salt))
            changed[name], changed[f"{name}_salt"] = opened
    return entry._replace(**changed) if changed else entry  # type: ignore[arg-type]  # text fields by name


def opened_run(run: Run, key: DataKey | None) -> Run:
    """Returns a run as it was written; raises LedgerUnavailableError when what is stored is not what was sealed."""
    changed: dict[str, str] = {}
    for (name, place), text in zip(_TEXTS, (run.output, run.reason), strict=True):
        if text is not None and _marked(text):
            changed[name] = _opened(key, run, place_of(0, place), Opened(text, SALT_INSIDE)).text
    return run._replace(**changed) if changed else run  # type: ignore[arg-type]  # text fields by name


def opened_entry_row(row: EntryRow, key: DataKey | None) -> EntryRow:
    """Returns a row with its payloads opened; what does not open stays as it is, for verification to find."""
    sequence = row.sequence if isinstance(row.sequence, int) else -1
    return row._replace(**_opened_columns(row, key, {name: place_of(sequence, name) for name in _PAYLOADS}))


def opened_run_row(row: RunRow, key: DataKey | None) -> RunRow:
    """Returns a row with its texts opened; what does not open stays as it is, for verification to find."""
    return row._replace(**_opened_columns(row, key, {name: place_of(0, place) for name, place in _TEXTS}))


def _opened_columns(row: EntryRow | RunRow, key: DataKey | None, places: dict[str, bytes]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, place in places.items():
        text, salt = getattr(row, name), getattr(row, f"{name}_salt")
        if not is_sealed(text):
            columns[name] = plain(text) if isinstance(text, str) else text
        elif key is not None and salt == SALT_INSIDE:
            try:
                opened = key.open(_owner_of_row(row), place, text)
            except UnreadableError:
                continue
            columns[name], columns[f"{name}_salt"] = opened
    return columns


def _opened(key: DataKey | None, owner: LedgerEntry | Run, place: bytes, stored: Opened) -> Opened:
    if not is_sealed(stored.text):
        return Opened(plain(stored.text), stored.salt)
    try:
        if key is not None and stored.salt == SALT_INSIDE:
            return key.open(owner_of(owner.tenant_id, owner.run_id), place, stored.text)
    except UnreadableError as error:
        raise damaged(owner.run_id) from error
    raise damaged(owner.run_id)


def damaged(run_id: str) -> LedgerUnavailableError:
    """Builds the error for what was changed since it was sealed."""
    return LedgerUnavailableError(
        f"a payload of run {run_id!r}, or its key, is damaged and cannot be decrypted; verify the run's chain to see what was changed",
        metadata={"run_id": run_id},
    )


def _owner_of_row(row: EntryRow | RunRow) -> bytes:
    try:
        return owner_of(str(row.tenant_id), str(row.run_id))
    except UnicodeEncodeError as error:
        raise UnreadableError("the row's ids are not text") from error


def _marked(text: object) -> bool:
    return text is not None and isinstance(text, str) and text.startswith(MARK)
