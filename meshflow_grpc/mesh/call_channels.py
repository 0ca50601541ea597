"""Channels for calls to peers, which outlive a missed heartbeat: one per endpoint, kept while the server runs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio

from meshflow_grpc.mesh.peer_methods import METHODS, RUN
from meshflow_grpc.ports.mesh import PeerUnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.mesh.peer_methods import PeerMethod
    from meshflow_grpc.ports.mesh import NodeCredentials

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_CHANNELS = 4096
CONNECT_S = 5.0
DROP_GRACE_S = 60.0
_KEEPALIVE_MS = 10_000
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # What is sent twice is decided by the kernel, not by the transport.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class NoCredentials:
    """Shows peers nothing, over plain text: for trials on one machine."""

    def metadata(self, node: MeshNode, tenant_id: str, digest: str) -> tuple[tuple[str, str], ...]:
        """See ports.mesh.NodeCredentials."""
        del node, tenant_id, digest
        return ()

    def channel_credentials(self, node: MeshNode, endpoint: str) -> object | None:
        """See ports.mesh.NodeCredentials."""
        del node, endpoint
        return None


class PeerConnection:
    """A channel with the calls that peers are asked with, made once: making them costs more than a call does."""

    __slots__ = ("_begin_run", "_calls", "channel")

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self._calls: dict[PeerMethod, Any] = {}
        for method in METHODS:
            make: Any = channel.unary_stream if method.streams else channel.unary_unary
            self._calls[method] = make(method.path, response_deserializer=method.answer.FromString)
        self._begin_run: Any = channel.stream_unary(RUN.path, response_deserializer=RUN.answer.FromString)

    @property
    def ready(self) -> bool:
        """Whether the connection stands now; never begins one."""
        return self.channel.get_state() is grpc.ChannelConnectivity.READY

    def call(self, method: PeerMethod, request: bytes, **options: object) -> Any:  # noqa: ANN401 - of the method's kind
        """Begins a call with a serialized request."""
        return self._calls[method](request, **options)

    def begin_run(self, request: AsyncIterator[bytes], **options: object) -> Any:  # noqa: ANN401 - as above
        """Begins RUN with a serialized request that comes later: on the wire the same call, its headers sent ahead."""
        return self._begin_run(request, **options)


class CallChannels:
    """Opens, keeps and closes them. The one used longest ago is closed beyond a bound."""

    def __init__(self, credentials: NodeCredentials) -> None:
        self._credentials = credentials
        self._kept: dict[tuple[str, bool], PeerConnection] = {}

    async def connected(self, node: MeshNode) -> PeerConnection | None:
        """A connection to one of the node's endpoints, best one that stands; None when there is none within CONNECT_S.

        Raises PeerUnreachableError when none of its endpoints may be used.
        """
        if (standing := self.standing(node)) is not None:
            return standing
        give_up, refused = time.monotonic() + CONNECT_S, 0
        for position, endpoint in enumerate(node.endpoints):
            try:
                connection = self._connection(node, endpoint)
            except PeerUnreachableError:
                refused += 1
                if refused == len(node.endpoints):
                    raise
                continue
            # A channel that failed before says so until it is connected: the others must have their time, too.
            now = time.monotonic()
            if await _ready(connection.channel, now + (give_up - now) / (len(node.endpoints) - position)):
                return connection
            if node.tls:
                # Certificates may have been renewed since: the next attempt reads them anew.
                self._drop((endpoint, True))
        return None

    def standing(self, node: MeshNode) -> PeerConnection | None:
        """The connection that ``connected`` would give without waiting, if it has used it before; None otherwise."""
        for key in ((endpoint, node.tls) for endpoint in node.endpoints):
            if key in self._kept and self._kept[key].ready:
                found = self._kept[key] = self._kept.pop(key)
                return found
        return None

    def _connection(self, node: MeshNode, endpoint: str) -> PeerConnection:
        key = (endpoint, node.tls)
        connection = self._kept.pop(key, None)
        if connection is None:
            if len(self._kept) >= MAX_CHANNELS:
                self._drop(next(iter(self._kept)))
            connection = PeerConnection(_opened(endpoint, self._credentials.channel_credentials(node, endpoint)))
        self._kept[key] = connection
        return connection

    def _drop(self, key: tuple[str, bool]) -> None:
        """Calls in flight may end."""
        connection = self._kept.pop(key, None)
        if connection is not None:
            asyncio.ensure_future(connection.channel.close(grace=DROP_GRACE_S)).add_done_callback(_noted)

    async def close(self) -> None:
        """Closes all; calls in flight end as cancelled."""
        kept, self._kept = self._kept, {}
        for connection in kept.values():
            await connection.channel.close()


def _noted(task: asyncio.Future[None]) -> None:
    """Nobody waits for the closing of an unused channel."""
    if not task.cancelled():
        task.exception()


def _opened(endpoint: str, credentials: object | None) -> aio.Channel:
    if isinstance(credentials, grpc.ChannelCredentials):
        return aio.secure_channel(endpoint, credentials, options=_OPTIONS)
    return aio.insecure_channel(endpoint, options=_OPTIONS)


async def _ready(channel: aio.Channel, give_up: float) -> bool:
    """Waits until the channel is connected, or its attempt failed, or time is over."""
    state = channel.get_state(try_to_connect=True)
    failures = 0
    while state is not grpc.ChannelConnectivity.READY:
        if state is grpc.ChannelConnectivity.SHUTDOWN or failures:
            return False
        try:
            async with asyncio.timeout(max(0.0, give_up - time.monotonic())):
                await channel.wait_for_state_change(state)
        except TimeoutError:
            return False
        before, state = state, channel.get_state(try_to_connect=True)
        failures += state is grpc.ChannelConnectivity.TRANSIENT_FAILURE and before is not state
    return True
