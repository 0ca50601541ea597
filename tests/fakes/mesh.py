"""Nodes and an observer of the mesh under the test's control."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.domain.mesh import Concern, MeshNode

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshChange

BEAT = "2026-01-01T00:16:40.000Z"
"""What the fake clock says when it starts."""


def mesh_node(slug: str, *concerns: Concern, **fields: object) -> MeshNode:
    """A node whose id is made of its slug and tenant."""
    values: dict[str, object] = {
        "node_id": f"id-of-{slug}{fields.get('tenant_id', '')}",
        "slug": slug,
        "tenant_id": "",
        "endpoints": ("127.0.0.1:1",),
        "concerns": concerns,
        "public_key": None,
        "tls": False,
        "version": "1.0.0",
        "registered_at": BEAT,
        "heartbeat_at": BEAT,
        "ttl_s": 30.0,
    }
    return MeshNode(**values | fields)  # type: ignore[arg-type]


@dataclass
class MeshLog:
    """Implements ports.observer.MeshObserver: keeps what it is told."""

    changes: list[MeshChange] = field(default_factory=list)
    calls: list[tuple[str, bool]] = field(default_factory=list)

    def mesh_changed(self, change: MeshChange) -> None:
        """Keeps a change."""
        self.changes.append(change)

    def peer_called(self, slug: str, *, ok: bool, seconds: float, sent: int, received: int) -> None:
        """Keeps whom and how it went."""
        self.calls.append((slug, ok))

    def told(self) -> list[tuple[str, str]]:
        """Kinds and slugs so far."""
        return [(change.kind.value, change.slug) for change in self.changes]
