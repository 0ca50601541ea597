"""Who holds which key, from the registry: remembered for some seconds, looked up again when a key is not known."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.mesh.node_key import key_id_of, public_key_of
from meshflow_grpc.ports.node_keys import KeyHolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.ports.mesh import NodeRegistry

FRESH_S = 5.0  # a node that was removed, or has a new key, is known as such after this long
RETRY_S = 0.5  # unknown keys do not make the registry's load
STALE_S = 300.0  # while the registry cannot be reached, known nodes stay known for so long


@dataclass(frozen=True, slots=True)
class _Snapshot:
    read_at: float
    holders: dict[tuple[str, str], tuple[KeyHolder, ...]]


class KnownNodes:
    """Implements ports.node_keys.NodeKeys."""

    def __init__(self, registry: NodeRegistry, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._monotonic = monotonic
        self._snapshot = _Snapshot(float("-inf"), {})
        self._reading = asyncio.Lock()

    async def holders(self, key_id: str, slug: str) -> tuple[KeyHolder, ...]:
        """See NodeKeys. Raises LedgerUnavailableError when the registry cannot be read and what is known is too old."""
        found = self._snapshot.holders.get((key_id, slug), ())
        if self._older_than(FRESH_S if found else RETRY_S):
            async with self._reading:
                if self._older_than(FRESH_S if found else RETRY_S):
                    await self._read()
            found = self._snapshot.holders.get((key_id, slug), ())
        return found

    def _older_than(self, seconds: float) -> bool:
        return self._monotonic() - self._snapshot.read_at >= seconds

    async def _read(self) -> None:
        try:
            nodes = await self._registry.nodes()
        except LedgerUnavailableError:
            if self._older_than(STALE_S):
                raise
            return
        holders: dict[tuple[str, str], tuple[KeyHolder, ...]] = {}
        for node in nodes:
            key = public_key_of(node.public_key) if node.public_key else None
            if key is not None:
                place = (key_id_of(key), node.slug)
                holders[place] = (*holders.get(place, ()), KeyHolder(node.slug, node.tenant_id, key))
        self._snapshot = _Snapshot(self._monotonic(), holders)
