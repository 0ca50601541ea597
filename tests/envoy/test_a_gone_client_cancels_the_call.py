"""Nobody pays for an answer that nobody reads: a disconnect cancels the handler, which would never end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.envoy.conftest import Proxy


@pytest.mark.parametrize("path", ["/run", "/stream"])
async def test_a_disconnect_cancels_the_handler(proxy: Proxy, path: str) -> None:
    """The client closes its connection while the run goes on."""
    body = json.dumps({"task": "wait"}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.envoy.port)
    writer.write(head.encode() + body)
    await asyncio.wait_for(proxy.witness.started.wait(), 60)

    writer.close()

    await asyncio.wait_for(proxy.witness.ended.wait(), 60)
