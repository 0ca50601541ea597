"""Connections: one that writes, one that keeps the leases, and a pool that reads."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.postgres.errors import DRIVER_ERRORS, RETRY_AFTER_S, translated, unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_RUN_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
COMMAND_TIMEOUT_S = 30.0
POOL_WAIT_S = 5.0
_WRITER = {
    "application_name": "meshflow-writer",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
}
_LEASES = {"application_name": "meshflow-leases"}
_READER = {"application_name": "meshflow-reader", "default_transaction_read_only": "on"}


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Connections that read, and prepared statements a connection keeps: 0 for poolers that share connections.

    ``only_run`` is the one run that a process that is no server is about.
    """

    min_size: int = 2
    max_size: int = 10
    statement_cache_size: int = 100
    only_run: str | None = None


async def open_writer(url: str, options: PoolOptions) -> Any:
    """Connects, and locks ``only_run`` for as long as it lives.

    Raises LedgerUnavailableError when syncs are off, or another process has the run.
    """
    with translated():
        connection = await asyncpg.connect(url, **_arguments(options), server_settings=_WRITER)
    try:
        with translated():
            if await connection.fetchval("SHOW fsync") != "on":
                raise LedgerUnavailableError("the database runs with fsync=off; an acknowledged entry could be lost")
            only_run = options.only_run
            if only_run is not None and not await connection.fetchval(_RUN_LOCK, f"meshflow run {only_run}"):
                raise LedgerUnavailableError(f"another process continues run {only_run!r}")
    except BaseException:
        connection.terminate()
        raise
    return connection


async def open_leases(url: str, options: PoolOptions) -> Any:
    """Connects for leases and notifications; raises LedgerUnavailableError."""
    with translated():
        return await asyncpg.connect(url, **_arguments(options), server_settings=_LEASES)


@asynccontextmanager
async def reading(readers: Any) -> AsyncIterator[Any]:
    """Lends a connection that reads; raises LedgerUnavailableError when all are busy for longer than POOL_WAIT_S."""
    try:
        connection = await readers.acquire(timeout=POOL_WAIT_S)
    except TimeoutError as error:
        raise LedgerUnavailableError(
            f"all {readers.get_max_size()} connections that read the ledger are busy; raise MESHFLOW_PG_POOL_MAX, or ask less at once",
            metadata={"cause": "POOL_EXHAUSTED", "limit": str(readers.get_max_size())},
            retry_after_s=RETRY_AFTER_S,
        ) from error
    except DRIVER_ERRORS as error:
        raise unavailable(error) from error
    try:
        yield connection
    finally:
        with suppress(*DRIVER_ERRORS):
            await readers.release(connection)


async def open_readers(url: str, options: PoolOptions) -> Any:
    """Opens the pool that reads."""
    with translated():
        return await asyncpg.create_pool(
            url,
            min_size=options.min_size,
            max_size=options.max_size,
            server_settings=_READER,
            **_arguments(options),
        )


def _arguments(options: PoolOptions) -> dict[str, Any]:
    return {"statement_cache_size": options.statement_cache_size, "command_timeout": COMMAND_TIMEOUT_S}
