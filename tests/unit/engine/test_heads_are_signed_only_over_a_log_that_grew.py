"""The publisher refuses a ledger that is not the one that was signed, and hands over from key to key."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError, LogInconsistentError
from meshflow_grpc.engine.log_publisher import LogPublisher
from meshflow_grpc.ledger.checkpoint import UntrustedCheckpointError, open_checkpoint
from meshflow_grpc.ledger.log_keys import LogKeys
from meshflow_grpc.ports.log import LogState, StoredHead
from meshflow_grpc.storage.anchor_file import AnchorFile
from meshflow_grpc.storage.memory.storage import MemoryStorage
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from meshflow_grpc.system import SystemClock
from tests.conformance.drafts import whole_run
from tests.fakes.log_keys import KEY, KEYS, NEW_KEY, ORIGIN, publisher


async def filled(path: Path, runs: int = 3) -> None:
    """Writes a ledger with a head after each run."""
    storage = await SqliteStorage.open(path)
    log = publisher(storage)
    for number in range(runs):
        await whole_run(storage, f"run_{number}")
        await log.publish()
    await storage.close()


def alter(path: Path, *statements: str) -> None:
    """Changes the file past its triggers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("merkle_nodes", "checkpoints"):
            for event in ("changed", "deleted"):
                connection.execute(f"DROP TRIGGER {table}_not_{event}")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["DELETE FROM ledger_entries WHERE seq > 12"], "rollback detected"),
        (["DELETE FROM merkle_nodes WHERE (idx + 1) << level > 12"], "rollback detected"),
        (["UPDATE merkle_nodes SET hash = zeroblob(32) WHERE level = 3"], "tampering detected"),
        (["DELETE FROM merkle_nodes WHERE level = 3"], "no hash at"),
        (["UPDATE checkpoints SET root = zeroblob(32) WHERE size = 15"], "do not agree"),
        (["UPDATE checkpoints SET note = replace(note, '15', '14')"], "cannot be believed"),
    ],
)
async def test_a_ledger_that_lost_its_end_or_was_changed_is_refused(
    tmp_path: Path, statements: list[str], found: str
) -> None:
    """Smaller than its newest head, or another: opening it fails and says what it is; no head is signed."""
    path = tmp_path / "ledger.db"
    await filled(path)
    alter(path, *statements)
    storage = await SqliteStorage.open(path)
    with pytest.raises(LogInconsistentError, match=found):
        await publisher(storage).open()
    await storage.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (3,)


async def test_an_older_copy_is_refused_by_the_anchor(tmp_path: Path) -> None:
    """A consistent older state of the whole file shows only against a head that was kept outside it."""
    path, old, anchor = tmp_path / "ledger.db", tmp_path / "old.db", AnchorFile(tmp_path / "heads")
    storage = await SqliteStorage.open(path)
    log = publisher(storage, anchor=anchor)
    await whole_run(storage, "run_1")
    await log.open()
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(old)) as copy:
        source.backup(copy)
    await whole_run(storage, "run_2")
    newest = await log.publish()
    await storage.close()
    assert (await anchor.newest_notes())[0] == newest.note

    storage = await SqliteStorage.open(old)
    assert (await publisher(storage).open()).size == 5
    with pytest.raises(LogInconsistentError, match="rollback detected: the newest head in the anchor file covers 10"):
        await publisher(storage, anchor=anchor).open()
    await storage.close()


async def test_a_note_half_written_to_the_anchor_is_skipped(tmp_path: Path) -> None:
    """After a crash in the middle of a write the note before counts, and the next one is whole."""
    file, anchor = tmp_path / "heads", AnchorFile(tmp_path / "heads")
    storage = MemoryStorage()
    await whole_run(storage, "run_1")
    first = await publisher(storage, anchor=anchor).open()
    for torn in (first.note[:20], first.note[:-1], first.note[:-20]):
        file.write_text(f"{first.note}\n{torn}", encoding="utf-8")
        assert await anchor.newest_notes() == (first.note,)
        await anchor.append(first.note)
        assert (await anchor.newest_notes())[0] == first.note
        assert (await publisher(storage, anchor=anchor).open()).size == first.size


async def test_an_anchor_that_fails_is_tried_again(tmp_path: Path) -> None:
    """The head is published all the same, and anchored as soon as that works."""
    folder, failures = tmp_path / "missing", []
    anchor, storage = AnchorFile(folder / "heads"), MemoryStorage()
    log = LogPublisher(storage, KEYS, SystemClock(), anchor, failures.append)
    await whole_run(storage, "run_1")
    await log.stop()
    assert [type(failure) for failure in failures] == [FileNotFoundError]
    folder.mkdir()
    head = await log.publish()
    assert await anchor.newest_notes() == (head.note,)


async def test_keys_are_rotated_with_a_head_that_both_sign(tmp_path: Path) -> None:
    """Old heads verify with the old key, the first new one with either; later the old key is not needed."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    await whole_run(storage, "run_1")
    old = await publisher(storage).open()

    with pytest.raises(LogInconsistentError, match="MESHFLOW_PREVIOUS_SIGNING_KEY"):
        await publisher(storage, LogKeys(ORIGIN, (NEW_KEY,))).open()
    both = await publisher(storage, LogKeys(ORIGIN, (NEW_KEY, KEY))).open()
    assert both.size == old.size
    for key in (KEY, NEW_KEY):
        assert open_checkpoint(both.note, [key.verifier]).signers == (key.verifier,)

    await whole_run(storage, "run_2")
    new = await publisher(storage, LogKeys(ORIGIN, (NEW_KEY,))).open()
    assert open_checkpoint(old.note, [KEY.verifier]).checkpoint.size == 5
    assert open_checkpoint(new.note, [NEW_KEY.verifier]).checkpoint.size == 10
    with pytest.raises(UntrustedCheckpointError):
        open_checkpoint(new.note, [KEY.verifier])
    await storage.close()


async def test_a_lost_secret_key_is_succeeded_by_trusting_its_public_half() -> None:
    """The old heads are believed, the new ones signed by the new key alone."""
    storage = MemoryStorage()
    await whole_run(storage, "run_1")
    await publisher(storage).open()
    head = await publisher(storage, LogKeys(ORIGIN, (NEW_KEY,), (KEY.verifier,))).open()
    assert open_checkpoint(head.note, [NEW_KEY.verifier, KEY.verifier]).signers == (NEW_KEY.verifier,)


async def test_another_name_for_the_log_is_refused() -> None:
    """A ledger keeps its origin."""
    storage = MemoryStorage()
    await publisher(storage).open()
    with pytest.raises(LogInconsistentError, match="MESHFLOW_LOG_ORIGIN"):
        await publisher(storage, LogKeys("another.example.org/log", (KEY,))).open()


class SignallingStorage(MemoryStorage):
    """Tells when a head was added."""

    def __init__(self) -> None:
        super().__init__()
        self.added = asyncio.Event()

    async def add_head(self, head: StoredHead) -> None:
        """Adds and tells."""
        await super().add_head(head)
        self.added.set()


async def test_heads_are_published_without_being_asked_for() -> None:
    """Entries get under a head in the background, and the last ones when it stops."""
    storage = SignallingStorage()
    log = publisher(storage)
    await log.open()
    log.start()
    await whole_run(storage, "run_1")
    storage.added.clear()
    await asyncio.wait_for(storage.added.wait(), 10)
    await whole_run(storage, "run_2")
    await log.stop()
    last = await storage.newest_head()
    assert last is not None
    assert last.size == 10


class ForgetfulStorage(MemoryStorage):
    """A store whose tree changes under its feet."""

    forged = False

    async def integrate(self, limit: int) -> LogState:
        """Returns another root than the tree's."""
        state = await super().integrate(limit)
        return LogState(state.size, bytes(32), state.newest_seq) if self.forged else state


async def test_a_log_that_turns_inconsistent_is_never_signed_again() -> None:
    """A root that does not contain the last head is not signed, and every later call says so."""
    storage = ForgetfulStorage()
    log = publisher(storage)
    await whole_run(storage, "run_1")
    first = await log.open()
    storage.forged = True
    await whole_run(storage, "run_2")
    for _ in range(2):
        with pytest.raises(LogInconsistentError, match="tampering detected"):
            await log.publish()
    storage.forged = False
    with pytest.raises(LedgerUnavailableError):
        await log.covering(1)
    await log.stop()
    assert await storage.newest_head() == first
