"""How far this machine's clock is from the ledger's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from meshflow_grpc.storage.factory import is_postgres


async def clock_skew(url: str) -> timedelta:
    """Returns how far this clock is ahead of PostgreSQL's; a SQLite file is on this clock, so zero. Raises LedgerUnavailableError."""
    if not is_postgres(url):
        return timedelta()
    import asyncpg

    from meshflow_grpc.storage.postgres.errors import translated

    with translated():
        connection = await asyncpg.connect(url, timeout=10.0)
        try:
            before = datetime.now(UTC)
            theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
            return before + (datetime.now(UTC) - before) / 2 - theirs
        finally:
            await connection.close()
