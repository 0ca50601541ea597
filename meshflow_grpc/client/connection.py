"""How a client reaches a server: address, TLS, token, retries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_ADDRESS = "127.0.0.1:8765"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SERVICES = ("RunService", "LedgerService", "ApprovalService", "WorkflowService", "SystemService", "MeshService")
# Requests that start a run carry a request_id, and the others do no harm twice; ForkRun without one would start a second run.
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {"name": [{"service": "meshflow.v1.RunService", "method": "ForkRun"}]},
            {
                "name": [{"service": f"meshflow.v1.{name}"} for name in _SERVICES],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    # A server that stops cancels calls it has not begun with (grpc/grpc#41785); it answers nothing else so.
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            },
        ]
    }
)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the authorities to trust (default: the system's) and, for mutual TLS, certificate and key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A server and how to talk to it.

    ``address`` is ``host:port``, or an ``http://`` or ``https://`` URL; https implies TLS. ``token`` is sent as
    ``authorization: Bearer``. ``timeout_s`` bounds every call that does not wait for a run. A broken watch is taken up
    again up to ``reconnects`` times in a row, ``reconnect_delay_s`` apart at first, doubling up to five seconds. A
    connection with calls in flight is pinged after ``keepalive_s`` without traffic, and given up when nothing comes within
    ``keepalive_timeout_s``.
    Raises ValueError for an address that is none, and OSError for a PEM file that cannot be read.
    """

    address: str = DEFAULT_ADDRESS
    token: str | None = field(default=None, repr=False)
    tls: TlsFiles | None = None
    timeout_s: float = 30.0
    reconnects: int = 20
    reconnect_delay_s: float = 0.2
    keepalive_s: float = 30.0
    keepalive_timeout_s: float = 10.0

    @property
    def target(self) -> str:
        """The ``host:port`` to dial."""
        if "://" not in self.address:
            return _checked(self.address)
        url = urlsplit(self.address)
        if url.scheme not in _DEFAULT_PORTS or not url.hostname or url.path.strip("/"):
            raise ValueError(f"{self.address!r} is not an address; write host:port, http://host:port or https://host")
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        return f"{host}:{url.port or _DEFAULT_PORTS[url.scheme]}"

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Metadata sent with every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def channel(self) -> grpc.aio.Channel:
        """Opens a channel; it dials on the first call and again after every break."""
        options: Sequence[tuple[str, str | int]] = (
            ("grpc.service_config", _SERVICE_CONFIG),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            # A request is kept for its retry up to this size; gRPC's own default is 256 KiB.
            ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", int(self.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", int(self.keepalive_timeout_s * 1000)),
            ("grpc.http2.max_pings_without_data", 0),
            # The ping itself has a timeout of its own, of a minute.
            ("grpc.http2.ping_timeout_ms", int(self.keepalive_timeout_s * 1000)),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # A proxy of the environment cannot reach this machine's own ports.
            ("grpc.enable_http_proxy", int(self.target.rpartition(":")[0] not in _LOOPBACK)),
        )
        if self.tls is None and not self.address.lower().startswith("https://"):
            return grpc.aio.insecure_channel(self.target, options=options)
        return grpc.aio.secure_channel(self.target, _credentials(self.tls or TlsFiles()), options=options)


def _checked(address: str) -> str:
    host, separator, port = address.rpartition(":")
    if not (separator and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{address!r} is not an address; write host:port, for example {DEFAULT_ADDRESS}")
    return address


def _credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    ca, key, certificate = (
        path.read_bytes() if path is not None else None for path in (files.ca, files.key, files.certificate)
    )
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=certificate)
