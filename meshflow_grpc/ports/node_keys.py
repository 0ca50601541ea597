"""Which registered node holds a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A registered node as its tokens are judged. ``tenant_id`` is empty for a node of every tenant; ``public_key`` is raw Ed25519."""

    slug: str
    tenant_id: str
    public_key: bytes


class NodeKeys(Protocol):
    """Finds registered nodes by their keys."""

    async def holders(self, key_id: str, slug: str) -> tuple[KeyHolder, ...]:
        """Returns the nodes of a slug that registered the key with this thumbprint (RFC 7638); usually one, in several tenants more."""
        ...
