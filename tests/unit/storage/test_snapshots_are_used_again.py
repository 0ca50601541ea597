"""Reading a run as it was at one moment does not open the file each time."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.storage.sqlite.reading import Snapshots

if TYPE_CHECKING:
    from pathlib import Path

    import aiosqlite


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in WAL mode with a table of one row."""
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1);")
    connection.close()
    return path


async def counted(snapshot: aiosqlite.Connection) -> int:
    """Rows that a snapshot sees."""
    ((count,),) = await snapshot.execute_fetchall("SELECT count(*) FROM t")
    return int(count)


def grow(file: Path) -> None:
    """Adds a row by another connection."""
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    connection.close()


async def test_a_snapshot_stands_still_and_the_next_one_sees_what_came_since(file: Path) -> None:
    """Both have the same connection, each a transaction of its own."""
    snapshots = Snapshots(file)
    async with snapshots.begin() as first:
        assert await counted(first) == 1
        grow(file)
        assert await counted(first) == 1
    async with snapshots.begin() as second:
        assert second is first
        assert await counted(second) == 2
    await snapshots.close()


async def test_one_in_use_is_not_given_to_another(file: Path) -> None:
    """Two at once are two connections, of which one is kept."""
    snapshots = Snapshots(file)
    async with snapshots.begin() as first, snapshots.begin() as second:
        assert second is not first
        grow(file)
        assert await counted(second) == 2
    async with snapshots.begin() as again:
        assert again is second
    with pytest.raises(ValueError, match="Connection closed"):
        await counted(first)
    await snapshots.close()


async def test_one_that_failed_is_closed(file: Path) -> None:
    """Whatever a reader left in it, nobody gets it again."""
    snapshots = Snapshots(file)
    with pytest.raises(ZeroDivisionError):
        async with snapshots.begin() as broken:
            raise ZeroDivisionError
    with pytest.raises(ValueError, match="Connection closed"):
        await counted(broken)
    async with snapshots.begin() as snapshot:
        assert await counted(snapshot) == 1
    await snapshots.close()


async def test_closing_leaves_no_connection_open(file: Path) -> None:
    """Neither the idle one nor one that was in use then: the log beside the file can be emptied and goes."""
    snapshots = Snapshots(file)
    async with snapshots.begin() as first:
        await counted(first)
    async with snapshots.begin() as last:
        await snapshots.close()
        assert await counted(last) == 1
    with pytest.raises(ValueError, match="Connection closed"):
        await counted(last)
