"""The contract of a ledger store. Every MUST here has a test of the same words in tests/conformance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from meshflow_grpc.domain.usage import MAX_SEQ
from meshflow_grpc.ports.log import LogStore
from meshflow_grpc.ports.webhooks import WebhookStore
from meshflow_grpc.ports.workflows import WorkflowStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
    from contextlib import AbstractAsyncContextManager

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run, RunStatus
    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.domain.usage import SessionUse, Usage


class RunChange(NamedTuple):
    """What an append changes in the run's projection. ``usage`` is added to the totals; None leaves a field as it is.

    ``step_usage`` is added too, and stands in the record of the first entry: a last step's, when it ends the run in the same append.
    """

    usage: Usage | None = None
    status: RunStatus | None = None
    output: str | None = None
    blocked_by: str | None = None
    reason: str | None = None
    step_usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class CreatedRun:
    """Answer to create_run: the run, its first entry, and whether it is new or an earlier one with the same request id."""

    run: Run
    entry: LedgerEntry | None
    created: bool


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Selects a tenant's runs, newest first. ``page_token`` is opaque; raises InvalidRequestError when it is not one of ours."""

    tenant_id: str
    page_size: int = 50
    page_token: str = ""
    status: str = ""
    workflow: str = ""
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs; an empty token means the last page."""

    runs: tuple[Run, ...]
    next_page_token: str


RunOwner = tuple[str, str]
"""Tenant and id of a run."""


@dataclass(frozen=True, slots=True)
class RawChain:
    """A run's row (None when it is gone) and its entries' rows in pages, as stored at one moment, for verification."""

    run: RunRow | None
    pages: AsyncIterator[tuple[EntryRow, ...]]


class Storage(LogStore, WorkflowStore, WebhookStore, Protocol):
    """A durable, append-only store of runs and their entries.

    MUST link the chain itself inside the transaction: no caller ever holds prev_hash. MUST make an append durable before it returns
    (an acknowledged entry survives kill -9 and power loss). MUST commit an append's entries and its RunChange together or not at all.
    MUST serve concurrent appends of many runs in shared transactions (group commit), without a failing append harming its neighbours.
    Raises LedgerUnavailableError when the store cannot take or give data now; driver errors never travel.
    """

    async def create_run(self, run: Run, draft: EntryDraft, request_fingerprint: str) -> CreatedRun:
        """Records a new run and its first entry.

        MUST return the earlier run (created=False, entry=None) when (tenant_id, request_id) was used with the same fingerprint.
        Raises RequestIdReusedError when it was used with another fingerprint.
        """
        ...

    def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> Awaitable[tuple[LedgerEntry, ...]]:
        """Appends entries to a run, in order, and applies the change to its projection; gives the linked entries.

        An Acknowledgement stands for an append that was taken already; what else is given is awaited to its end by a task of its own.

        MUST refuse an entry whose (run_id, step_id, attempt, kind) exists: EntryAlreadyRecordedError. MUST refuse a run that has ended:
        RunConflictError. MUST raise RunNotFoundError for an unknown run. Nothing of a refused append is kept.
        MUST refuse a change that ends the run unless the last entry is run_finished: InvalidRequestError. The last entry's record
        holds the change, so that the projection can be verified against the chain. MUST refuse ``step_usage`` with a single entry:
        InvalidRequestError.
        """
        ...

    async def erase_payloads(self, draft: EntryDraft) -> LedgerEntry:
        """Appends an erasure entry (``ledger.erasure.new_erasure``) to an ended run and erases its payloads; returns the entry.

        MUST remove, in the entry's own transaction, input, output and salts of all earlier entries and the run row's output and reason.
        MUST leave the chain valid, and verification MUST count what is gone under the entry. MUST refuse a run that has not ended:
        RunConflictError. MUST refuse a second erasure: EntryAlreadyRecordedError. MUST raise RunNotFoundError for an unknown run or
        another tenant's.
        """
        ...

    async def delete_run(self, draft: EntryDraft) -> LedgerEntry:
        """Appends a tombstone (``ledger.deletion.new_deletion``) to an ended run and deletes all else of it; returns the tombstone.

        MUST delete the run's row and all its earlier entries in the tombstone's own transaction, after their leaves are in the
        tree: the log stays whole, and verification MUST account for the missing seqs by the tombstone. MUST refuse a run under
        policy.immutable_audit: RunImmutableError. MUST refuse a run that has not ended: RunConflictError. MUST raise RunNotFoundError
        for an unknown run, one deleted before, or another tenant's. MUST never record another run under the id again.
        """
        ...

    async def get_run(self, tenant_id: str, run_id: str) -> Run:
        """Returns a run as it stands; raises RunNotFoundError, also for another tenant's run."""
        ...

    async def list_runs(self, query: RunQuery) -> RunPage:
        """Returns a page of runs, newest first; a run created meanwhile never repeats or hides another one."""
        ...

    async def entries(
        self, tenant_id: str, run_id: str, *, after_sequence: int = 0, limit: int = 1000
    ) -> tuple[LedgerEntry, ...]:
        """Returns entries of a run with a greater sequence, in order; raises RunNotFoundError."""
        ...

    def raw_chain(self, tenant_id: str, run_id: str) -> AbstractAsyncContextManager[RawChain]:
        """Reads a run's rows as stored, whatever tampering left in them; raises RunNotFoundError when there is nothing of it.

        MUST read one moment: a run that goes on meanwhile never looks tampered with.
        """
        ...

    def raw_chains(self, runs: Sequence[RunOwner]) -> AsyncGenerator[RawChain, None]:
        """Reads runs in their order, each as ``raw_chain`` does; one's pages are to be read before the next is asked for."""
        ...

    async def forks_of(self, tenant_id: str, run_id: str) -> tuple[str, ...]:
        """Returns the ids of the tenant's runs that left this one, directly or by a fork of it, oldest first."""
        ...

    async def unfinished_runs(self) -> tuple[Run, ...]:
        """Returns all running runs of all tenants, oldest first, for recovery after a restart."""
        ...

    async def paused_runs(self, *, after_run_id: str = "", limit: int = 200) -> tuple[Run, ...]:
        """Returns paused runs of all tenants with a greater id, oldest first: those whose approvals may expire."""
        ...

    async def session_use(self, tenant_id: str, session_id: str, *, up_to_seq: int = MAX_SEQ) -> SessionUse:
        """Returns what all runs of a tenant's session have spent, and what running ones have reserved.

        Of the reservations only entries up to a place in the ledger count when one is given: of several servers that reserve at
        once each sees those before it. MUST read one moment, in which every entry before that place is there. MUST count, of each
        step that has a budget_reserved entry and no outcome yet, the newest such entry, until the run is resumed: the run_resumed
        entry charges it.
        """
        ...

    async def ping(self) -> None:
        """Returns when the store can read; raises LedgerUnavailableError."""
        ...

    async def close(self) -> None:
        """Flushes what was accepted and releases files, threads and connections. Idempotent."""
        ...
