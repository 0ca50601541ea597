"""Connections to a ledger file, and the lock that keeps a second server off it.

Only the writer's connection writes and checkpoints; readers open the file read-only, so they can do neither. This also keeps clear
of SQLite's WAL-reset fault (fixed in 3.51.3), which needs two connections that write or checkpoint.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from meshflow_grpc.domain.errors import LedgerUnavailableError

FILE_MODE = 0o600
CHECKPOINT_PAGES = 4000


def prepare_file(path: Path) -> None:
    """Creates the file and its folders when missing, readable by the owner alone; raises LedgerUnavailableError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE))
    except OSError as error:
        raise LedgerUnavailableError(f"the ledger file {path} cannot be created: {error.strerror}") from error


def open_writer(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Opens the one connection that writes: WAL, each commit synced, deleted content overwritten, no temporary files."""
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def reader_uri(path: Path) -> str:
    """Returns the URI of a connection that can neither write nor checkpoint."""
    return f"file:{quote(str(path.absolute()))}?mode=ro"


READER_PRAGMAS = "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0;"


class FileLock:
    """An exclusive lock on ``<file>.lock``, held until released or the process ends."""

    def __init__(self, path: Path) -> None:
        """Takes the lock; raises LedgerUnavailableError naming the process that holds it."""
        lock = path.with_name(path.name + ".lock")
        try:
            self._descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise LedgerUnavailableError(f"the lock file {lock} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            user = "this process itself" if holder == str(os.getpid()) else f"another process (pid {holder})"
            raise LedgerUnavailableError(
                f"the ledger {path} is in use by {user}; stop it or name another file",
                metadata={"pid": holder},
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Gives the lock up. Idempotent."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
