"""The mesh's part of the blocking client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
    from typing import Any

    from meshflow_grpc.client.async_mesh import AsyncMeshCalls
    from meshflow_grpc.client.messages import ListNodesResponse, MeshChange, MeshNode, ResolveNodeResponse

T = TypeVar("T")


class MeshCalls(ABC):
    """Nodes that hand work to each other."""

    _client: AsyncMeshCalls

    def register_node(
        self,
        slug: str,
        endpoints: Sequence[str],
        *,
        concerns: Mapping[str, int] | None = None,
        public_key: str = "",
        tls: bool = False,
        version: str = "",
        ttl_s: float = 0.0,
    ) -> MeshNode:
        """Registers a node that is no meshflow server; ``concerns`` are names and priorities. It lives by ``heartbeat``."""
        call = self._client.register_node(
            slug, endpoints, concerns=concerns, public_key=public_key, tls=tls, version=version, ttl_s=ttl_s
        )
        return self._wait(call)

    def heartbeat(self, node_id: str) -> float:
        """Says that a node lives; returns within how many seconds the next one is due."""
        return self._wait(self._client.heartbeat(node_id))

    def list_nodes(self) -> ListNodesResponse:
        """Returns all nodes and how they do, by name."""
        return self._wait(self._client.list_nodes())

    def resolve_node(self, slug: str = "", *, concern: str = "", failover: Sequence[str] = ()) -> ResolveNodeResponse:
        """Returns whom a step would go to, in order: a slug's node or those that take a concern, then the failover list."""
        return self._wait(self._client.resolve_node(slug, concern=concern, failover=failover))

    def watch_mesh(self, *, after_sequence: int = 0) -> Iterator[MeshChange]:
        """Yields what happened in the mesh and then what happens, without end; a broken connection ends it with an error."""
        return self._iterate(self._client.watch_mesh(after_sequence=after_sequence))

    @abstractmethod
    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Blocks until the work on the client's loop is done."""

    @abstractmethod
    def _iterate(self, events: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yields what comes, blocking in between."""
