"""ListWorkflows: the newest version of each, or all versions of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.list_runs import DEFAULT_PAGE_SIZE, page_size_or_default
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.registered_workflows import packaged_entry
from meshflow_grpc.workflow.catalog import packaged_names

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.domain.workflow import StoredWorkflow
    from meshflow_grpc.ports.workflows import WorkflowStore

_NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """One page of workflows; an empty token means the last page."""

    workflows: tuple[StoredWorkflow, ...]
    next_page_token: str


class ListWorkflowsCommand:
    """Pages through the workflows of the caller's tenant and those that ship with the server."""

    def __init__(self, store: WorkflowStore) -> None:
        self._store = store

    async def execute(self, principal: Principal, *, page_size: int, page_token: str, name: str) -> WorkflowPage:
        """Raises InvalidRequestError for a page size or token that is not valid."""
        size = page_size_or_default(page_size, DEFAULT_PAGE_SIZE)
        if name:
            return await self._versions(principal.tenant_id, name, size, page_token)
        tenant_id = principal.tenant_id
        stored = await self._store.list_workflows(tenant_id, after_name=page_token, limit=size + 1)
        packaged = (packaged_entry(each, tenant_id) for each in packaged_names() if each > page_token)
        found = sorted([*stored, *packaged], key=lambda each: each.name)
        page = tuple(found[:size])
        return WorkflowPage(page, page[-1].name if len(found) > size else "")

    async def _versions(self, tenant_id: str, name: str, size: int, page_token: str) -> WorkflowPage:
        if name in packaged_names():
            return WorkflowPage((packaged_entry(name, tenant_id),), "")
        if page_token and not (page_token.isascii() and page_token.isdigit() and len(page_token) < 19):
            raise InvalidRequestError.of(FieldViolation("page_token", "is not the next_page_token of such a page"))
        below = int(page_token) if page_token else _NEWEST
        found = await self._store.workflow_versions(tenant_id, name, below=below, limit=size + 1)
        page = found[:size]
        return WorkflowPage(page, str(page[-1].number) if len(found) > size else "")
