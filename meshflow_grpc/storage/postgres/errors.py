"""What PostgreSQL's errors mean to callers; driver errors never travel, and no address or password is in them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, LedgerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRY_AFTER_S = 1.0
NOT_TEXT = asyncpg.CharacterNotInRepertoireError
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

_CAUSES = {
    "28": "the database refused the credential",
    "3D": "the database does not exist",
    "42501": "the database role lacks a privilege",
    "53100": "the database's disk is full; free space and it goes on by itself",
    "53": "the database is out of a resource",
    "57": "the database is shutting down or starting",
    "08": "the connection to the database broke",
    "25006": "the database is read-only; name the primary",
}


def unavailable(error: BaseException) -> LedgerUnavailableError:
    """Returns the error callers see for a driver's error."""
    state = str(getattr(error, "sqlstate", "") or "")
    cause = next((text for prefix, text in _CAUSES.items() if state.startswith(prefix)), None)
    if cause is None:
        cause = "the database failed" if state else "the database cannot be reached"
    metadata = {"cause": state or type(error).__name__}
    return LedgerUnavailableError(
        f"the ledger cannot be used now: {cause}", metadata=metadata, retry_after_s=RETRY_AFTER_S
    )


def not_text() -> InvalidRequestError:
    """Returns the error callers see for a name, id or filter with U+0000 in it, which no text of PostgreSQL can hold."""
    return InvalidRequestError.of(
        FieldViolation("request", "a name, id or description in it holds the character U+0000")
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turns driver errors raised inside into LedgerUnavailableError, and what no text can hold into InvalidRequestError."""
    try:
        yield
    except NOT_TEXT as error:
        raise not_text() from error
    except DRIVER_ERRORS as error:
        raise unavailable(error) from error
