"""Fetches from peers the evidence of what they did for a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import structlog

from meshflow_grpc.domain.ledger_entry import OUTCOME_KINDS
from meshflow_grpc.domain.mesh import PeerTarget
from meshflow_grpc.ports.mesh import PeerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.ports.mesh import MeshAccess

_log = structlog.get_logger(__name__)
# Peers asked at a time.
AT_ONCE = 8


async def peer_evidence(mesh: MeshAccess, tenant_id: str, entries: Sequence[LedgerEntry]) -> Mapping[str, bytes]:
    """The bundles of the runs that peers made for these entries, by run id; those of peers that cannot be asked now are left out."""
    room = asyncio.Semaphore(AT_ONCE)

    async def fetched(run_id: str, slug: str) -> tuple[str, bytes] | None:
        async with room:
            for node in mesh.peers.candidates(tenant_id, PeerTarget(slug)):
                bundle = await _bundle(mesh, node, tenant_id, run_id)
                if bundle is not None:
                    return run_id, bundle
            return None

    wanted = dict(_peer_runs(entries))
    found = await asyncio.gather(*(fetched(run_id, slug) for run_id, slug in wanted.items()))
    return dict(each for each in found if each is not None)


async def _bundle(mesh: MeshAccess, node: MeshNode, tenant_id: str, run_id: str) -> bytes | None:
    try:
        return await mesh.client.evidence(node, tenant_id, run_id)
    except PeerError as error:
        _log.warning("peer_evidence_missing", peer=node.slug, peer_run_id=run_id, error=str(error))
        return None


def _peer_runs(entries: Iterable[LedgerEntry]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        peer = entry.facts.get("peer")
        if entry.kind in OUTCOME_KINDS and peer is not None:
            told = cast("Mapping[str, str]", peer)
            yield told["run_id"], told["slug"]
