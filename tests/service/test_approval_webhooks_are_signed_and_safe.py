"""The webhook: signed, retried, and never sent into the server's own network."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from meshflow_grpc.domain.policy import HumanInLoopConfig, Policy
from meshflow_grpc.domain.run import PendingApproval, Run, RunStatus
from meshflow_grpc.governance.effective_policy import policy_json
from meshflow_grpc.ports.webhooks import RefusedTargetError
from meshflow_grpc.providers.approval_webhook import ApprovalWebhook
from meshflow_grpc.providers.signed_post import SignedPost, signature

SECRET = "0123456789abcdef"


@dataclass
class Receiver:
    """An HTTP server that answers with the next status of a list and keeps what it was sent."""

    statuses: list[int]
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:-1]
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head)}
        self.seen.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.statuses.pop(0)
        writer.write(f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        if not self.statuses:
            self.enough.set()


def run_with(url: str) -> Run:
    """A paused run with a webhook."""
    policy = policy_json(Policy(human_in_loop=HumanInLoopConfig(enabled=True, approval_webhook=url)))
    time = "2026-01-01T00:00:00.000Z"
    pending = PendingApproval("apr_1-1", "publisher", "needs a look", time)
    return Run("run_1", "acme", "w", RunStatus.PAUSED, "d", policy, time, time, pending_approval=pending)


async def test_a_delivery_is_signed_and_retried_until_it_is_taken() -> None:
    """A server error is tried again; the signature covers time and body; nothing of the run's content is in it."""
    receiver = Receiver([503, 204])
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = SignedPost(SECRET, trust_all=True)
    webhook = ApprovalWebhook(sender)
    webhook._first_pause_s = 0.0
    webhook.run_paused(run_with(f"http://127.0.0.1:{port}/hook"))
    await asyncio.wait_for(receiver.enough.wait(), 60)
    headers, body = receiver.seen[-1]
    await webhook.close()
    await sender.close()
    server.close()

    assert len(receiver.seen) == 2
    assert headers["x-meshflow-signature"] == "sha256=" + signature(SECRET, headers["x-meshflow-timestamp"], body)
    assert json.loads(body)["approval_id"] == "apr_1-1"


async def test_a_redirect_is_not_followed() -> None:
    """It could lead anywhere."""
    receiver = Receiver([302])
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = SignedPost(SECRET, trust_all=True)

    assert await sender.post(f"http://127.0.0.1:{port}/", b"{}", "a") == 302
    await sender.close()
    server.close()


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://example.com/", ["93.184.216.34"]),
        ("ftp://example.com/", ["93.184.216.34"]),
        ("https://user:pw@example.com/", ["93.184.216.34"]),
        ("https://example.com:99999/", ["93.184.216.34"]),
        ("https:///x", ["93.184.216.34"]),
        ("https://a.test/", []),
        ("https://a.test/", ["127.0.0.1"]),
        ("https://a.test/", ["93.184.216.34", "10.0.0.1"]),
        ("https://a.test/", ["169.254.169.254"]),
        ("https://a.test/", ["::1"]),
        ("https://a.test/", ["fe80::1%eth0"]),
        ("https://a.test/", ["::ffff:192.168.0.1"]),
        ("https://a.test/", ["100.64.0.1"]),
        ("https://a.test/", ["0.0.0.0"]),
    ],
)
async def test_targets_inside_are_refused_after_the_look_up(url: str, addresses: list[str]) -> None:
    """One bad address of a name is enough."""

    async def resolve(host: str, port: int) -> list[str]:
        del host, port
        return addresses

    sender = SignedPost(SECRET, trust_all=False, resolve=resolve)
    with pytest.raises(RefusedTargetError):
        await sender.post(url, b"{}", "a")
    await sender.close()
