"""Appends to the ledger and shows what was appended to the run's watchers, in that order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.webhook import RunWebhook
from meshflow_grpc.ports.acknowledgement import Acknowledgement, acknowledged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.engine.event_hub import EventHub
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.observer import LedgerObserver
    from meshflow_grpc.ports.storage import CreatedRun, RunChange, Storage

_log = structlog.get_logger(__name__)


class PublishingRecorder:
    """The engine's way to write: nothing is published that is not durable."""

    def __init__(self, storage: Storage, hub: EventHub, observer: LedgerObserver, clock: Clock) -> None:
        self._storage = storage
        self._hub = hub
        self._observer = observer
        self._clock = clock

    async def create_run(
        self, run: Run, draft: EntryDraft, request_fingerprint: str, webhook: str | None = None
    ) -> CreatedRun:
        """See ports.storage.Storage.create_run. The delivery to ``webhook`` is owed before the run exists: none is forgotten."""
        started = self._clock.monotonic()
        try:
            if webhook is not None:
                owed = RunWebhook(run.run_id, run.tenant_id, webhook, run.create_time, run.create_time)
                await self._storage.add_webhook(owed)
            created = await self._storage.create_run(run, draft, request_fingerprint)
            if webhook is not None and not created.created:
                await self._storage.drop_webhook(run.run_id)
        except LedgerUnavailableError:
            self._observer.append_failed()
            raise
        if created.entry is not None:
            self._publish((created.entry,), started)
        return created

    async def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> tuple[LedgerEntry, ...]:
        """See kernel.ports.Recorder and ports.storage.Storage.append."""
        started = self._clock.monotonic()
        taken = self._storage.append(run_id, drafts, change)
        answer = taken if isinstance(taken, Acknowledgement) else acknowledged(taken)
        try:
            entries = await answer
        except LedgerUnavailableError:
            self._observer.append_failed()
            raise
        except asyncio.CancelledError:
            if answer.exception() is None:
                self._publish(answer.result(), started)
            raise
        self._publish(entries, started)
        return entries

    def _publish(self, entries: Sequence[LedgerEntry], started: float) -> None:
        """What is durable stays so whatever its watchers do; they read from the ledger what they missed."""
        try:
            self._observer.appended([entry.kind for entry in entries], self._clock.monotonic() - started)
            for entry in entries:
                self._hub.publish(entry)
        except Exception:  # noqa: BLE001 - a watcher's defect must not look like a failed append
            _log.exception("publishing_failed", run_id=entries[0].run_id)
