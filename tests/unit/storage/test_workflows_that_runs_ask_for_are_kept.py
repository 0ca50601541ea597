"""A run that names a registered workflow does not wait for another thread to read it once more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc.domain.workflow import StoredWorkflow
from meshflow_grpc.storage.sqlite import workflows
from meshflow_grpc.storage.sqlite.storage import SqliteStorage


class _CountingStorage(SqliteStorage):
    """Counts what it reads; ``after_read`` puts something between a reading and its answer."""

    reads = 0
    after_read: StoredWorkflow | None = None

    async def _fetch(self, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        self.reads += 1
        rows = await super()._fetch(sql, parameters)
        late, self.after_read = self.after_read, None
        if late is not None:
            await self.put_workflow(late)
        return rows


@pytest.fixture
async def storage(tmp_path: Path) -> Any:
    opened = await _CountingStorage.open(tmp_path / "ledger.db")
    yield opened
    await opened.close()


def _workflow(version: str, name: str = "report", yaml: str = "name: report\n") -> StoredWorkflow:
    return StoredWorkflow("acme", name, version, version * 64, yaml)


async def test_the_second_run_reads_nothing(storage: _CountingStorage) -> None:
    """By name and by version; another tenant's question is another one."""
    put = await storage.put_workflow(_workflow("1"))
    for _ in range(3):
        assert await storage.get_workflow("acme", "report") == put
        assert await storage.get_workflow("acme", "report", "1") == put

    assert storage.reads == 2
    assert await storage.get_workflow("rival", "report") is None


async def test_a_put_is_seen_by_the_next_run(storage: _CountingStorage) -> None:
    """Also when something else was asked for before, or nothing was found."""
    assert await storage.get_workflow("acme", "report") is None
    old = await storage.put_workflow(_workflow("1"))
    assert await storage.get_workflow("acme", "report") == old
    new = await storage.put_workflow(_workflow("2"))

    assert await storage.get_workflow("acme", "report") == new
    assert await storage.get_workflow("acme", "report", "1") == old


async def test_what_was_read_before_a_put_is_not_kept_after_it(storage: _CountingStorage) -> None:
    """The reading that a put overtakes may answer its own caller, no other."""
    old = await storage.put_workflow(_workflow("1"))
    storage.after_read = _workflow("2")

    assert await storage.get_workflow("acme", "report") == old
    assert (await storage.get_workflow("acme", "report")).version == "2"  # type: ignore[union-attr]


async def test_a_store_that_only_reads_keeps_nothing(storage: _CountingStorage, tmp_path: Path) -> None:
    """Another process writes the file it reads."""
    await storage.put_workflow(_workflow("1"))
    beside = await SqliteStorage.open_read_only(tmp_path / "ledger.db")
    assert (await beside.get_workflow("acme", "report")).version == "1"  # type: ignore[union-attr]
    await storage.put_workflow(_workflow("2"))

    assert (await beside.get_workflow("acme", "report")).version == "2"  # type: ignore[union-attr]
    await beside.close()


async def test_what_is_kept_is_bounded(storage: _CountingStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, the oldest first, and in length."""
    monkeypatch.setattr(workflows, "MAX_KEPT", 2)
    await storage.put_workflow(_workflow("1", "long", "#" * (workflows.MAX_KEPT_CHARS + 1)))
    for name in ("a", "b", "c"):
        await storage.put_workflow(_workflow("1", name))
    for name in ("long", "a", "b", "c"):
        await storage.get_workflow("acme", name)
    storage.reads = 0

    for name in ("b", "c"):
        await storage.get_workflow("acme", name)
    assert storage.reads == 0
    for name in ("long", "a"):
        await storage.get_workflow("acme", name)
    assert storage.reads == 2
