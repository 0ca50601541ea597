"""ListApprovals: what waits for a human."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.commands.list_runs import DEFAULT_PAGE_SIZE, page_size_or_default
from meshflow_grpc.domain.approval import ApprovalPage, ApprovalStatus
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ports.storage import RunQuery

if TYPE_CHECKING:
    from meshflow_grpc.domain.approval import Approval
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.gates import Gates
    from meshflow_grpc.ports.storage import Storage


class ListApprovalsCommand:
    """Pages through the paused runs of the caller's tenant, or shows all approvals of one run."""

    def __init__(self, storage: Storage, gates: Gates) -> None:
        self._storage = storage
        self._gates = gates

    async def execute(self, principal: Principal, *, page_size: int, page_token: str, run_id: str) -> ApprovalPage:
        """Raises InvalidRequestError for a page size or token that is not valid, RunNotFoundError for an unknown run."""
        size = page_size_or_default(page_size, DEFAULT_PAGE_SIZE)
        if run_id:
            if page_token:
                raise InvalidRequestError.of(FieldViolation("page_token", "a run's approvals come on one page"))
            run = await self._storage.get_run(principal.tenant_id, run_id)
            return ApprovalPage(await self._gates.of_run(run), "")
        query = RunQuery(principal.tenant_id, size, page_token, RunStatus.PAUSED.value)
        page = await self._storage.list_runs(query)
        found: list[Approval] = []
        for run in page.runs:
            found.extend(a for a in await self._gates.of_run(run) if a.status is ApprovalStatus.PENDING)
        return ApprovalPage(tuple(found), page.next_page_token)
