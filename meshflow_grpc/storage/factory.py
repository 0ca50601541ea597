"""Opens the store an address names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.memory.storage import MemoryStorage
from meshflow_grpc.storage.sqlite.storage import SqliteStorage

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import Storage


async def open_storage(url: str, *, read_only: bool = False) -> Storage:
    """Opens a store: a file path, ``sqlite:///path`` (``sqlite:////abs/path``) or ``memory:``.

    ``read_only`` opens an existing file beside the server that writes it. Raises LedgerUnavailableError, saying what to change.
    """
    if url == "memory:":
        return MemoryStorage()
    if url.startswith(("postgres://", "postgresql://")):
        raise LedgerUnavailableError("PostgreSQL ledgers are not available in this version; name a file path")
    path = _file_path(url)
    if read_only:
        return await SqliteStorage.open_read_only(path)
    return await SqliteStorage.open(path)


def _file_path(url: str) -> Path:
    path = url.removeprefix("sqlite:///")
    if not path or "://" in path or path.startswith("sqlite:"):
        raise LedgerUnavailableError(f"{url!r} names no ledger; use a file path, sqlite:///path or memory:")
    return Path(path).expanduser()
