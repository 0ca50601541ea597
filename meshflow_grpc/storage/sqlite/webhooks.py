"""SQL of ``run_webhooks``, and the part of the store that keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.webhook import RunWebhook
from meshflow_grpc.storage.sqlite.workflows import SqliteWorkflows

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "run_id, tenant_id, url, create_time, due_time, attempts"
_INSERT = f"INSERT INTO run_webhooks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"  # noqa: S608
_DUE = (
    "SELECT w.run_id FROM run_webhooks AS w LEFT JOIN runs AS r ON r.run_id = w.run_id WHERE w.due_time <= ?1 "
    "AND (r.status NOT IN ('running', 'paused') OR (r.run_id IS NULL AND w.create_time < ?2)) "
    "ORDER BY w.due_time, w.run_id LIMIT ?3"
)
_TAKE = f"UPDATE run_webhooks SET due_time = ?4, attempts = attempts + 1 WHERE run_id IN ({_DUE}) RETURNING {_COLUMNS}"  # noqa: S608
_PUT_OFF = "UPDATE run_webhooks SET due_time = ? WHERE run_id = ?"
_DROP = "DELETE FROM run_webhooks WHERE run_id = ?"


class SqliteWebhooks(SqliteWorkflows):
    """See ``ports.webhooks.WebhookStore``."""

    async def add_webhook(self, webhook: RunWebhook) -> None:
        """See WebhookStore."""
        values = (
            webhook.run_id,
            webhook.tenant_id,
            webhook.url,
            webhook.create_time,
            webhook.due_time,
            webhook.attempts,
        )
        await self._changed(_INSERT, values)

    async def take_webhooks(self, now: str, until: str, orphaned: str, limit: int) -> tuple[RunWebhook, ...]:
        """See WebhookStore. Looks before it writes: mostly nothing is due."""
        if not await self._fetch(_DUE, (now, orphaned, 1)):
            return ()
        taken = await self._changed(_TAKE, (now, orphaned, limit, until))
        return tuple(sorted((RunWebhook(*row) for row in taken), key=lambda each: each.run_id))

    async def put_off_webhook(self, run_id: str, due_time: str) -> None:
        """See WebhookStore."""
        await self._changed(_PUT_OFF, (due_time, run_id))

    async def drop_webhook(self, run_id: str) -> None:
        """See WebhookStore."""
        await self._changed(_DROP, (run_id,))

    async def _changed(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        def change(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute(sql, values).fetchall()

        return await self._writing().call(lambda writer: writer.on_connection(change))
