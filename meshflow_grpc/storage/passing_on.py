"""A store that passes on to another one what it has no part in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from meshflow_grpc.domain.usage import MAX_SEQ
from meshflow_grpc.ports.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from meshflow_grpc.domain.usage import SessionUse
    from meshflow_grpc.domain.webhook import RunWebhook
    from meshflow_grpc.domain.workflow import ApprovedChange, StoredWorkflow
    from meshflow_grpc.ports.log import LogState, NodeKey, RawLog, StoredHead

S = TypeVar("S", bound=Storage)


class PassingOn(Generic[S]):
    """The part of Storage in which no text that people or agents wrote is read."""

    def __init__(self, store: S) -> None:
        self.store = store

    async def session_use(self, tenant_id: str, session_id: str, *, up_to_seq: int = MAX_SEQ) -> SessionUse:
        """See Storage."""
        return await self.store.session_use(tenant_id, session_id, up_to_seq=up_to_seq)

    async def forks_of(self, tenant_id: str, run_id: str) -> tuple[str, ...]:
        """See Storage."""
        return await self.store.forks_of(tenant_id, run_id)

    async def ping(self) -> None:
        """See Storage."""
        await self.store.ping()

    async def close(self) -> None:
        """See Storage."""
        await self.store.close()

    async def log_state(self) -> LogState:
        """See LogStore."""
        return await self.store.log_state()

    def pending_entries(self) -> int:
        """See LogStore."""
        return self.store.pending_entries()

    async def integrate(self, limit: int) -> LogState:
        """See LogStore."""
        return await self.store.integrate(limit)

    async def merkle_nodes(self, keys: Iterable[NodeKey]) -> Mapping[NodeKey, bytes]:
        """See LogStore."""
        return await self.store.merkle_nodes(keys)

    async def newest_head(self) -> StoredHead | None:
        """See LogStore."""
        return await self.store.newest_head()

    async def head_of_size(self, size: int) -> StoredHead | None:
        """See LogStore."""
        return await self.store.head_of_size(size)

    async def add_head(self, head: StoredHead) -> None:
        """See LogStore."""
        await self.store.add_head(head)

    async def seq_of(self, tenant_id: str, run_id: str, sequence: int) -> int:
        """See LogStore."""
        return await self.store.seq_of(tenant_id, run_id, sequence)

    async def has_entry(self, tenant_id: str, seq: int) -> bool:
        """See LogStore."""
        return await self.store.has_entry(tenant_id, seq)

    async def missing_seqs(self, first: int, last: int, limit: int) -> tuple[int, ...]:
        """See LogStore."""
        return await self.store.missing_seqs(first, last, limit)

    def raw_log(self) -> AbstractAsyncContextManager[RawLog]:
        """See LogStore. Payloads are given as stored: the log is over the records."""
        return self.store.raw_log()

    async def put_workflow(self, workflow: StoredWorkflow) -> StoredWorkflow:
        """See WorkflowStore."""
        return await self.store.put_workflow(workflow)

    async def get_workflow(self, tenant_id: str, name: str, version: str = "") -> StoredWorkflow | None:
        """See WorkflowStore."""
        return await self.store.get_workflow(tenant_id, name, version)

    async def list_workflows(self, tenant_id: str, *, after_name: str = "", limit: int) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        return await self.store.list_workflows(tenant_id, after_name=after_name, limit=limit)

    async def workflow_versions(
        self, tenant_id: str, name: str, *, below: int, limit: int
    ) -> tuple[StoredWorkflow, ...]:
        """See WorkflowStore."""
        return await self.store.workflow_versions(tenant_id, name, below=below, limit=limit)

    async def approve_change(self, change: ApprovedChange) -> ApprovedChange:
        """See WorkflowStore."""
        return await self.store.approve_change(change)

    async def approved_change(
        self, tenant_id: str, workflow_digest: str, policy_digest: str | None
    ) -> ApprovedChange | None:
        """See WorkflowStore."""
        return await self.store.approved_change(tenant_id, workflow_digest, policy_digest)

    async def add_webhook(self, webhook: RunWebhook) -> None:
        """See WebhookStore."""
        await self.store.add_webhook(webhook)

    async def take_webhooks(self, now: str, until: str, orphaned: str, limit: int) -> tuple[RunWebhook, ...]:
        """See WebhookStore."""
        return await self.store.take_webhooks(now, until, orphaned, limit)

    async def put_off_webhook(self, run_id: str, due_time: str) -> None:
        """See WebhookStore."""
        await self.store.put_off_webhook(run_id, due_time)

    async def drop_webhook(self, run_id: str) -> None:
        """See WebhookStore."""
        await self.store.drop_webhook(run_id)
