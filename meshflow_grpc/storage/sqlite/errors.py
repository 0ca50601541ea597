"""What SQLite's errors mean to callers; driver errors never travel."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, LedgerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRY_AFTER_S = 1.0

_CAUSES = {
    "SQLITE_FULL": "the disk is full; free space and it goes on by itself",
    "SQLITE_BUSY": "another process holds the file's write lock",
    "SQLITE_LOCKED": "another process holds the file's write lock",
    "SQLITE_IOERR": "the disk reported an input/output error",
    "SQLITE_READONLY": "the file is read-only",
    "SQLITE_CANTOPEN": "the file cannot be opened; check the path and its permissions",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_NOTADB": "the file is not a SQLite database",
}


def unavailable(error: sqlite3.Error) -> LedgerUnavailableError:
    """Returns the error callers see for a driver's error."""
    name = str(getattr(error, "sqlite_errorname", ""))
    cause = next((text for prefix, text in _CAUSES.items() if name.startswith(prefix)), "the store failed")
    return LedgerUnavailableError(
        f"the ledger cannot be used now: {cause}", metadata={"cause": name or "SQLITE"}, retry_after_s=RETRY_AFTER_S
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turns driver errors raised inside into LedgerUnavailableError, and what no text can hold into InvalidRequestError."""
    try:
        yield
    except sqlite3.Error as error:
        raise unavailable(error) from error
    except UnicodeEncodeError as error:
        description = "a name, id or description in it is not valid Unicode"
        raise InvalidRequestError.of(FieldViolation("request", description)) from error
    except ValueError as error:
        # aiosqlite's answer to a closed connection.
        raise LedgerUnavailableError("the ledger is closed") from error
