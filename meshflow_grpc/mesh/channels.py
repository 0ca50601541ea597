"""Connections to peers: one per endpoint, opened when first used and kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
from grpc import aio

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.ports.mesh import NodeCredentials

# A peer that is back is noticed by the next check; the default would wait up to two minutes between attempts to connect.
MAX_RECONNECT_MS = 1_000
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", MAX_RECONNECT_MS),
    # Peers are addressed directly, whatever proxy the environment names.
    ("grpc.enable_http_proxy", 0),
)


class PeerChannels:
    """Channels by endpoint; those of nodes that are gone are closed."""

    def __init__(self, credentials: NodeCredentials | None = None) -> None:
        self._credentials = credentials
        self._channels: dict[tuple[str, str], aio.Channel] = {}

    def of(self, node: MeshNode, endpoint: str) -> aio.Channel:
        """The channel to one of the node's endpoints."""
        channel = self._channels.get((node.node_id, endpoint))
        if channel is None:
            channel = self._channels[node.node_id, endpoint] = self._opened(node, endpoint)
        return channel

    async def keep(self, nodes: tuple[MeshNode, ...]) -> None:
        """Closes the channels to all other nodes and endpoints."""
        wanted = {(node.node_id, endpoint) for node in nodes for endpoint in node.endpoints}
        gone = [self._channels.pop(key) for key in list(self._channels) if key not in wanted]
        await asyncio.gather(*(channel.close() for channel in gone))

    async def close(self) -> None:
        """Closes all channels; calls under way are cancelled."""
        await self.keep(())

    def _opened(self, node: MeshNode, endpoint: str) -> aio.Channel:
        credentials = self._credentials.channel_credentials(node, endpoint) if self._credentials is not None else None
        if isinstance(credentials, grpc.ChannelCredentials):
            return aio.secure_channel(endpoint, credentials, OPTIONS)
        return aio.insecure_channel(endpoint, OPTIONS)
