"""Requests that this server makes because somebody asked for it: signed, and never sent into its own network."""

from __future__ import annotations

import hashlib
import hmac
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2

from meshflow_grpc.ports.webhooks import RefusedTargetError, UnreachableTargetError
from meshflow_grpc.providers.safe_target import UnsafeTargetError, pinned, resolved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

TIMEOUT_S = 10.0


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 (hex) over ``<timestamp>.<body>``."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class SignedPost:
    """Implements ports.webhooks.WebhookSender. ``trust_all`` (development) allows http and private addresses."""

    def __init__(
        self, secret: str, *, trust_all: bool, resolve: Callable[[str, int], Awaitable[list[str]]] = resolved
    ) -> None:
        self._secret = secret
        self._trust_all = trust_all
        self._resolve = resolve
        self._client = httpx2.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S, trust_env=False)

    async def post(self, url: str, body: bytes, delivery_id: str) -> int:
        """See WebhookSender."""
        try:
            return await self._post(url, body, delivery_id)
        except UnsafeTargetError as error:
            raise RefusedTargetError(str(error)) from error
        except (httpx2.HTTPError, OSError) as error:
            raise UnreachableTargetError(type(error).__name__) from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _post(self, url: str, body: bytes, delivery_id: str) -> int:
        target = await pinned(url, trust_all=self._trust_all, resolve=self._resolve)
        timestamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "host": target.host_header,
            "user-agent": "meshflow-grpc",
            "x-meshflow-delivery": delivery_id,
            "x-meshflow-timestamp": timestamp,
            "x-meshflow-signature": f"sha256={signature(self._secret, timestamp, body)}",
        }
        async with self._client.stream(
            "POST", target.url, content=body, headers=headers, extensions={"sni_hostname": target.server_name}
        ) as answer:
            return answer.status_code


@asynccontextmanager
async def signed_post(secret: str | None, *, trust_all: bool) -> AsyncIterator[SignedPost | None]:
    """A sender for a server that has a key to sign with."""
    if secret is None:
        yield None
        return
    sender = SignedPost(secret, trust_all=trust_all)
    try:
        yield sender
    finally:
        await sender.close()
