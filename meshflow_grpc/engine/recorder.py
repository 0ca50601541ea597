"""Appends to the ledger and shows what was appended to the run's watchers, in that order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.engine.event_hub import EventHub
    from meshflow_grpc.ports.storage import CreatedRun, RunChange, Storage


class PublishingRecorder:
    """The engine's way to write: nothing is published that is not durable."""

    def __init__(self, storage: Storage, hub: EventHub) -> None:
        self._storage = storage
        self._hub = hub

    async def create_run(self, run: Run, draft: EntryDraft, request_fingerprint: str) -> CreatedRun:
        """See ports.storage.Storage.create_run."""
        created = await self._storage.create_run(run, draft, request_fingerprint)
        if created.entry is not None:
            self._hub.publish(created.entry)
        return created

    async def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> tuple[LedgerEntry, ...]:
        """See ports.storage.Storage.append."""
        entries = await self._storage.append(run_id, drafts, change)
        for entry in entries:
            self._hub.publish(entry)
        return entries
