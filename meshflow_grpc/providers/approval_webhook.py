"""Tells reviewers over HTTP that a run waits. Signed, retried, and never sent into the server's own network."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import httpx2
import structlog

from meshflow_grpc.providers.safe_target import UnsafeTargetError, pinned, resolved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.notifier import ApprovalNotifier

_log = structlog.get_logger(__name__)

ATTEMPTS = 5
FIRST_PAUSE_S = 1.0
TIMEOUT_S = 10.0
MAX_WAITING = 1000


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 (hex) over ``<timestamp>.<body>``."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class ApprovalWebhook:
    """Implements ports.notifier.ApprovalNotifier. ``trust_all`` (development) allows http and private addresses."""

    def __init__(
        self, secret: str, *, trust_all: bool, resolve: Callable[[str, int], Awaitable[list[str]]] = resolved
    ) -> None:
        self._secret = secret
        self._trust_all = trust_all
        self._resolve = resolve
        self._first_pause_s = FIRST_PAUSE_S
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx2.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S, trust_env=False)

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
        """Stops what is under way and closes the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, url: str, body: bytes, approval_id: str) -> None:
        pause = self._first_pause_s
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status = await self._post(url, body, approval_id)
            except UnsafeTargetError as error:
                _log.error("approval_webhook_refused", approval_id=approval_id, error=str(error))
                return
            except (httpx2.HTTPError, OSError) as error:
                problem = type(error).__name__
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

    async def _post(self, url: str, body: bytes, approval_id: str) -> int:
        target = await pinned(url, trust_all=self._trust_all, resolve=self._resolve)
        timestamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "host": target.host_header,
            "user-agent": "meshflow-grpc",
            "x-meshflow-delivery": approval_id,
            "x-meshflow-timestamp": timestamp,
            "x-meshflow-signature": f"sha256={signature(self._secret, timestamp, body)}",
        }
        async with self._client.stream(
            "POST", target.url, content=body, headers=headers, extensions={"sni_hostname": target.server_name}
        ) as answer:
            return answer.status_code


@asynccontextmanager
async def approval_notifier(
    secret: str | None, otherwise: ApprovalNotifier, *, trust_all: bool
) -> AsyncIterator[ApprovalNotifier]:
    """A webhook for a server that has a key to sign with; else the other notifier."""
    if secret is None:
        yield otherwise
        return
    webhook = ApprovalWebhook(secret, trust_all=trust_all)
    try:
        yield webhook
    finally:
        await webhook.close()
