"""Tells others that a run has ended: at least once, across restarts and whichever server is left."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError, RunNotFoundError
from meshflow_grpc.ports.webhooks import RefusedTargetError, UnreachableTargetError

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.webhook import RunWebhook
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage
    from meshflow_grpc.ports.webhooks import WebhookSender

_log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 32
# Longer than one try can take: whoever takes a delivery and dies gives it up to others.
LEASE_S: Final = 60.0
ORPHANED_AFTER_S: Final = 3600.0
ATTEMPTS: Final = 20
FIRST_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 3600.0
GONE: Final = 410
# Looking costs at most a twentieth of the time, however many runs wait.
_SHARE: Final = 20


class RunWebhooks:
    """Sends what is owed. Nothing here holds up a run; what cannot be sent now is tried again with growing pauses."""

    def __init__(self, storage: Storage, clock: Clock, sender: WebhookSender) -> None:
        self._storage = storage
        self._clock = clock
        self._sender = sender
        self._sending: set[asyncio.Task[None]] = set()

    async def keep_sending(self) -> None:
        """Looks for what is due until cancelled; deliveries under way then are tried again by whoever comes next."""
        try:
            while True:
                started = self._clock.monotonic()
                try:
                    await self.send_due()
                except LedgerUnavailableError as error:
                    _log.warning("run_webhooks_postponed", error=error.message)
                await asyncio.sleep(max(LOOK_EVERY_S, _SHARE * (self._clock.monotonic() - started)))
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def send_due(self) -> tuple[asyncio.Task[None], ...]:
        """Begins to send what is due, as far as there is room; returns the tasks. Raises LedgerUnavailableError."""
        room = AT_ONCE - len(self._sending)
        if room <= 0:
            return ()
        now = self._clock.now()
        times = (now, later(now, LEASE_S), later(now, -ORPHANED_AFTER_S))
        tasks = tuple(
            asyncio.ensure_future(self._send(each)) for each in await self._storage.take_webhooks(*times, room)
        )
        self._sending.update(tasks)
        for task in tasks:
            task.add_done_callback(self._sending.discard)
        return tasks

    async def _send(self, webhook: RunWebhook) -> None:
        try:
            try:
                run = await self._storage.get_run(webhook.tenant_id, webhook.run_id)
            except RunNotFoundError:
                await self._storage.drop_webhook(webhook.run_id)
                return
            problem = await self._try(webhook, run)
            if problem is None:
                await self._storage.drop_webhook(webhook.run_id)
            else:
                await self._failed(webhook, problem)
        except MeshflowError as error:
            _log.warning("run_webhook_postponed", run_id=webhook.run_id, error=error.message)

    async def _try(self, webhook: RunWebhook, run: Run) -> str | None:
        """Returns why it has to be tried again; None when it is over, delivered or refused."""
        told = {"run_id": webhook.run_id, "attempt": webhook.attempts}
        try:
            status = await self._sender.post(webhook.url, body_of(run), delivery_id(run.run_id))
        except RefusedTargetError as error:
            _log.error("run_webhook_refused", **told, error=str(error))
            return None
        except UnreachableTargetError as error:
            return str(error)
        if status == GONE:
            _log.warning("run_webhook_gone", **told)
            return None
        if 200 <= status < 300:
            _log.info("run_webhook_delivered", **told)
            return None
        return f"HTTP {status}"

    async def _failed(self, webhook: RunWebhook, problem: str) -> None:
        told = {"run_id": webhook.run_id, "attempt": webhook.attempts, "problem": problem}
        if webhook.attempts >= ATTEMPTS:
            _log.error("run_webhook_given_up", **told)
            await self._storage.drop_webhook(webhook.run_id)
            return
        pause = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** (webhook.attempts - 1))
        _log.warning("run_webhook_failed", **told, retry_in_s=pause)
        await self._storage.put_off_webhook(webhook.run_id, later(self._clock.now(), pause))


def delivery_id(run_id: str) -> str:
    """The same for every try of a delivery, so that a receiver can tell repetitions."""
    return f"{run_id}.finished"


def body_of(run: Run) -> bytes:
    """What the receiver is told: how the run ended, and the ledger head to check it by; no text that people or agents wrote."""
    document = {
        "type": "run_finished",
        "delivery_id": delivery_id(run.run_id),
        "run_id": run.run_id,
        "workflow": run.workflow,
        "status": run.status.value,
        "blocked_by": run.blocked_by,
        "cost_nano_usd": run.usage.cost_nano_usd,
        "total_tokens": run.usage.input_tokens + run.usage.output_tokens,
        "policy_digest": run.policy_digest,
        "ledger_head": {"sequence": run.entries, "hash": run.head_hash},
        "create_time": run.create_time,
        "update_time": run.update_time,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def later(time: str, seconds: float) -> str:
    """A time some seconds after another one, in the same form."""
    moved = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")
