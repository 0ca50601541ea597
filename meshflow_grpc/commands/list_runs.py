"""ListRuns: a tenant's runs, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ports.storage import RunPage, RunQuery

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.ports.storage import Storage

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


def page_size_or_default(page_size: int, default: int) -> int:
    """The page size to use; 0 means the default. Raises InvalidRequestError when it is out of range."""
    if not 0 <= page_size <= MAX_PAGE_SIZE:
        raise InvalidRequestError.of(FieldViolation("page_size", f"must be between 1 and {MAX_PAGE_SIZE}"))
    return page_size or default


class ListRunsCommand:
    """Pages through the runs of the caller's tenant."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def execute(
        self,
        principal: Principal,
        *,
        page_size: int,
        page_token: str,
        status: str,
        workflow: str,
        session_id: str = "",
    ) -> RunPage:
        """Raises InvalidRequestError for a page size, token or status that is not valid."""
        size = page_size_or_default(page_size, DEFAULT_PAGE_SIZE)
        if status and status not in list(RunStatus):
            raise InvalidRequestError.of(FieldViolation("status", f"must be one of {', '.join(RunStatus)}"))
        query = RunQuery(principal.tenant_id, size, page_token, status, workflow, session_id)
        return await self._storage.list_runs(query)
