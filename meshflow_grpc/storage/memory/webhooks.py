"""Owed deliveries in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.stored_row import RunRow
    from meshflow_grpc.domain.webhook import RunWebhook

GOING_ON = ("running", "paused")


class MemoryWebhooks:
    """See ``ports.webhooks.WebhookStore``."""

    _runs: dict[str, RunRow]

    def __init__(self) -> None:
        self._webhooks: dict[str, RunWebhook] = {}

    async def add_webhook(self, webhook: RunWebhook) -> None:
        """See WebhookStore."""
        self._webhooks.setdefault(webhook.run_id, webhook)

    async def take_webhooks(self, now: str, until: str, orphaned: str, limit: int) -> tuple[RunWebhook, ...]:
        """See WebhookStore."""
        due = [each for each in self._webhooks.values() if each.due_time <= now and self._deliverable(each, orphaned)]
        taken = [
            replace(each, due_time=until, attempts=each.attempts + 1)
            for each in sorted(due, key=lambda each: (each.due_time, each.run_id))[:limit]
        ]
        self._webhooks.update({each.run_id: each for each in taken})
        return tuple(taken)

    async def put_off_webhook(self, run_id: str, due_time: str) -> None:
        """See WebhookStore."""
        if run_id in self._webhooks:
            self._webhooks[run_id] = replace(self._webhooks[run_id], due_time=due_time)

    async def drop_webhook(self, run_id: str) -> None:
        """See WebhookStore."""
        self._webhooks.pop(run_id, None)

    def _deliverable(self, webhook: RunWebhook, orphaned: str) -> bool:
        row = self._runs.get(webhook.run_id)
        return webhook.create_time < orphaned if row is None else row.status not in GOING_ON
