"""The event loop lets the ledger's thread compute, and does not wait while it writes to disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from meshflow_grpc.storage.batch import CreateRun
from meshflow_grpc.storage.sqlite.connection import prepare_file
from meshflow_grpc.storage.sqlite.transaction import BatchWriter
from meshflow_grpc.storage.sqlite.writer import Writer
from tests.conformance.drafts import new_run, started

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 30.0


def _create(run_id: str) -> CreateRun:
    return CreateRun(new_run(run_id), started(run_id), "")


def _entries(path: Path) -> int:
    with closing(sqlite3.connect(path)) as reader:
        return int(reader.execute("SELECT count(*) FROM ledger_entries").fetchone()[0])


def test_a_batch_is_computed_before_it_is_committed(tmp_path: Path) -> None:
    """It is told once a transaction, when nothing but the commit is left."""
    path = tmp_path / "ledger.db"
    prepare_file(path)
    seen: list[int] = []
    writer = BatchWriter(path, 5.0, os.urandom, before_commit=lambda: seen.append(_entries(path)))
    writer.open()
    writer.write([_create("run_1"), _create("run_2")])
    writer.write([_create("run_3")])
    writer.close()
    assert seen == [0, 2]
    assert _entries(path) == 3


async def test_the_loop_is_free_while_a_commit_is_under_way(tmp_path: Path) -> None:
    """A commit that takes long holds up its own answer alone."""
    path = tmp_path / "ledger.db"
    prepare_file(path)
    writer = Writer(path, 5.0)
    committing, go_on = threading.Event(), threading.Event()
    computed = writer._writer._before_commit

    def slow_disk() -> None:
        computed()
        committing.set()
        go_on.wait(PATIENCE_S)

    writer._writer._before_commit = slow_disk
    await writer.open()
    answer = writer.submit(_create("run_1"))
    assert await asyncio.to_thread(committing.wait, PATIENCE_S)
    assert not writer._at_work.locked()
    assert not answer.done()
    go_on.set()
    await answer
    await writer.close()
