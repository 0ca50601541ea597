"""Page tokens of run lists: opaque, bound to the list's filters, and checked before use (AIP-158)."""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import RunStatus

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import RunQuery

MAX_PAGE_SIZE = 1000

_TAG_BYTES = 12


def checked_cursor(query: RunQuery) -> str:
    """Returns the run id a page starts below, empty for the first page; raises InvalidRequestError for a bad query."""
    violations = []
    if not 1 <= query.page_size <= MAX_PAGE_SIZE:
        violations.append(FieldViolation("page_size", f"must be between 1 and {MAX_PAGE_SIZE}"))
    if query.status and query.status not in tuple(RunStatus):
        violations.append(FieldViolation("status", f"must be one of {', '.join(RunStatus)}"))
    if violations:
        raise InvalidRequestError.of(*violations)
    return _run_id_of(query) if query.page_token else ""


def next_token(query: RunQuery, last_run_id: str) -> str:
    """Returns the token of the page after the one that ends with a run."""
    cursor = last_run_id.encode()
    return base64.urlsafe_b64encode(_tag(query, cursor) + cursor).decode()


def _run_id_of(query: RunQuery) -> str:
    try:
        token = base64.b64decode(query.page_token.encode("ascii"), altchars=b"-_", validate=True)
        tag, cursor = token[:_TAG_BYTES], token[_TAG_BYTES:]
        if cursor and tag == _tag(query, cursor):
            return cursor.decode()
    except (UnicodeError, binascii.Error):
        pass
    raise InvalidRequestError.of(
        FieldViolation("page_token", "is not a token of this list; repeat the call that gave it with the same filters")
    )


def _tag(query: RunQuery, cursor: bytes) -> bytes:
    session = (query.session_id,) if query.session_id else ()
    filters = "\0".join((query.tenant_id, query.status, query.workflow, *session))
    return sha256(b"meshflow/v1/page\0" + filters.encode(errors="surrogatepass") + b"\0" + cursor).digest()[:_TAG_BYTES]
