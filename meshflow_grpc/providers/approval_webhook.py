"""Tells reviewers over HTTP that a run waits. Signed, retried, and never sent into the server's own network."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import structlog

from meshflow_grpc.ports.webhooks import RefusedTargetError, UnreachableTargetError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.notifier import ApprovalNotifier
    from meshflow_grpc.ports.webhooks import WebhookSender

_log = structlog.get_logger(__name__)

ATTEMPTS = 5
FIRST_PAUSE_S = 1.0
MAX_WAITING = 1000


class ApprovalWebhook:
    """Implements ports.notifier.ApprovalNotifier."""

    def __init__(self, sender: WebhookSender) -> None:
        self._sender = sender
        self._first_pause_s = FIRST_PAUSE_S
        self._tasks: set[asyncio.Task[None]] = set()

    def run_paused(self, run: Run) -> None:
        """Sends in the background what ``run.pending_approval`` says; the outcome is logged."""
        human = cast("Mapping[str, object]", run.policy["human_in_loop"])
        url = cast("str", human["approval_webhook"])
        approval = run.pending_approval
        if not url or approval is None:
            return
        if len(self._tasks) >= MAX_WAITING:
            _log.error("approval_webhook_dropped", run_id=run.run_id, waiting=len(self._tasks))
            return
        document = {
            "type": "approval_requested",
            "approval_id": approval.approval_id,
            "run_id": run.run_id,
            "workflow": run.workflow,
            "node_id": approval.node_id,
            "reason": approval.reason,
            "expire_time": approval.expire_time,
        }
        task = asyncio.ensure_future(self._deliver(url, json.dumps(document).encode(), approval.approval_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stops what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, url: str, body: bytes, approval_id: str) -> None:
        pause = self._first_pause_s
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status = await self._sender.post(url, body, approval_id)
            except RefusedTargetError as error:
                _log.error("approval_webhook_refused", approval_id=approval_id, error=str(error))
                return
            except UnreachableTargetError as error:
                problem = str(error)
            else:
                if 200 <= status < 300:
                    _log.info("approval_webhook_delivered", approval_id=approval_id, attempt=attempt)
                    return
                problem = f"HTTP {status}"
            _log.warning("approval_webhook_failed", approval_id=approval_id, attempt=attempt, problem=problem)
            if attempt < ATTEMPTS:
                await asyncio.sleep(pause)
                pause *= 2
        _log.error("approval_webhook_given_up", approval_id=approval_id, attempts=ATTEMPTS)


@asynccontextmanager
async def approval_notifier(
    sender: WebhookSender | None, otherwise: ApprovalNotifier
) -> AsyncIterator[ApprovalNotifier]:
    """A webhook for a server that can send; else the other notifier."""
    if sender is None:
        yield otherwise
        return
    webhook = ApprovalWebhook(sender)
    try:
        yield webhook
    finally:
        await webhook.close()
