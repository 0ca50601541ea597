"""Opens the store an address names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.storage.memory.storage import MemoryStorage
from meshflow_grpc.storage.sealed import SealedStorage
from meshflow_grpc.storage.sqlite.storage import SqliteStorage

if TYPE_CHECKING:
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.ports.leases import RunLeases
    from meshflow_grpc.storage.sealed import KeyedStorage

IN_MEMORY = "memory:"
POOL_MIN = 2
POOL_MAX = 10
STATEMENT_CACHE = 100


async def open_storage(
    url: str,
    *,
    read_only: bool = False,
    pool_min: int = POOL_MIN,
    pool_max: int = POOL_MAX,
    statement_cache: int = STATEMENT_CACHE,
    payload_keys: PayloadKeys = NO_KEYS,
    only_run: str | None = None,
) -> SealedStorage:
    """Opens a store: a file path, ``sqlite:///path`` (``sqlite:////abs/path``), ``postgresql://…`` or ``memory:``.

    ``read_only`` opens an existing ledger beside the server that writes it; the pool's sizes are those of PostgreSQL's readers.
    ``payload_keys`` encrypt what is written, and open what was encrypted. ``only_run`` is the one run a process that is no server is
    about: on PostgreSQL another process may not open the same. Raises LedgerUnavailableError, saying what to change.
    """
    options = (pool_min, pool_max, statement_cache)
    store = await _open(url, options, payload_keys, read_only=read_only, only_run=only_run)
    return SealedStorage(store, payload_keys)


async def _open(
    url: str, pool: tuple[int, int, int], keys: PayloadKeys, *, read_only: bool, only_run: str | None
) -> KeyedStorage:
    if url == IN_MEMORY:
        return MemoryStorage(keys)
    if is_postgres(url):
        from meshflow_grpc.storage.postgres.connection import PoolOptions
        from meshflow_grpc.storage.postgres.storage import PostgresStorage

        options = PoolOptions(*pool, only_run=only_run)
        return await (
            PostgresStorage.open_read_only(url, options) if read_only else PostgresStorage.open(url, options, keys)
        )
    path = file_path(url)
    if read_only:
        return await SqliteStorage.open_read_only(path)
    return await SqliteStorage.open(path, keys=keys)


def leases_of(storage: SealedStorage, url: str, lease_s: float) -> RunLeases | None:
    """The leases of a server on an open ledger; None where only one server can write it."""
    if not is_postgres(url):
        return None
    from meshflow_grpc.storage.postgres.storage import PostgresStorage

    return storage.store.leases(lease_s) if isinstance(storage.store, PostgresStorage) else None


def is_postgres(url: str) -> bool:
    """Whether an address names a PostgreSQL database."""
    return url.startswith(("postgres://", "postgresql://"))


def check_exists(url: str) -> None:
    """Raises LedgerUnavailableError for the address of a file that is not there; a database says so itself."""
    if url != IN_MEMORY and not is_postgres(url) and not file_path(url).is_file():
        raise LedgerUnavailableError(f"there is no ledger file {file_path(url)}")


def file_path(url: str) -> Path:
    """Returns the file an address names; raises LedgerUnavailableError when it names none."""
    path = url.removeprefix("sqlite:///")
    if not path or "://" in path or path.startswith("sqlite:"):
        raise LedgerUnavailableError(
            f"{url!r} names no ledger; use a file path, sqlite:///path, postgresql://host/database or memory:"
        )
    return Path(path).expanduser()
