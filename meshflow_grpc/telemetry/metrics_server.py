"""Serves `GET /metrics` on a port of its own, from a thread of its own; never on the public port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import start_http_server

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class MetricsServer:
    """Listening from the start. Raises OSError when the address is taken."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self._server, self._thread = start_http_server(port, host, registry)
        self.port = int(self._server.server_port)

    def stop(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
