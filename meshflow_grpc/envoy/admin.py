"""Envoy's administration interface, over a Unix socket only its owner can open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_TIMEOUT_S = 5.0


class EnvoyAdmin:
    """Asks one Envoy; every call raises httpx.HTTPError when it does not answer as expected."""

    def __init__(self, socket: Path) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://envoy", timeout=ANSWER_TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def is_live(self) -> bool:
        """Whether Envoy serves; False as well while it does not answer yet."""
        try:
            answer = await self._client.get("/ready")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    async def bound_port(self, listener: str) -> int:
        """Returns the TCP port a listener really has."""
        answer = await self._client.get("/listeners", params={"format": "json"})
        answer.raise_for_status()
        for status in answer.json()["listener_statuses"]:
            if status["name"] == listener:
                return int(status["local_address"]["socket_address"]["port_value"])
        raise httpx.RequestError(f"Envoy has no listener {listener}")

    async def drain(self) -> None:
        """Tells clients to reconnect elsewhere at once, and closes the listeners when the drain time has passed."""
        (await self._client.post("/healthcheck/fail")).raise_for_status()
        (await self._client.post("/drain_listeners?graceful")).raise_for_status()

    async def is_idle(self, listener: str) -> bool:
        """Whether no request is under way at a listener and nothing that it answered waits to be sent."""
        gauges = f"http.{listener}.downstream_rq_active", f"http.{listener}.downstream_cx_tx_bytes_buffered"
        pattern = f"^({'|'.join(map(re.escape, gauges))})$"
        answer = await self._client.get("/stats", params={"filter": pattern, "format": "json"})
        answer.raise_for_status()
        return all(stat["value"] == 0 for stat in answer.json()["stats"])
