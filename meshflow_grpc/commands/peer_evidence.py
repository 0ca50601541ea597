"""Fetches from peers the evidence of what they did for a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import structlog

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.ledger_entry import OUTCOME_KINDS
from meshflow_grpc.domain.mesh import PeerTarget
from meshflow_grpc.ledger.evidence import bundle_runs
from meshflow_grpc.ports.mesh import PeerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

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

    wanted = peer_runs(entries)
    found = await asyncio.gather(*(fetched(run_id, slug) for run_id, slug in wanted.items()))
    return dict(each for each in found if each is not None)


async def _bundle(mesh: MeshAccess, node: MeshNode, tenant_id: str, run_id: str) -> bytes | None:
    try:
        return await mesh.client.evidence(node, tenant_id, run_id)
    except PeerError as error:
        _log.warning("peer_evidence_missing", peer=node.slug, peer_run_id=run_id, error=str(error))
        return None


def given_evidence(bundles: Mapping[str, bytes], wanted: Collection[str]) -> dict[str, bytes]:
    """Bundles that were fetched by other ways, by file name, as ``peer_evidence`` returns them.

    They are taken as they are; who verifies the whole verifies them too. Raises InvalidRequestError for one of no run that is wanted.
    """
    found: dict[str, bytes] = {}
    for file, bundle in bundles.items():
        runs = [run_id for run_id in bundle_runs(bundle) if run_id in wanted]
        if not runs:
            description = (
                f"{file} is of no run that a peer made for these runs; those are {', '.join(wanted) or 'none'}"
            )
            raise InvalidRequestError.of(FieldViolation("peers", description))
        found |= dict.fromkeys(runs, bundle)
    return found


def peer_runs(entries: Iterable[LedgerEntry]) -> dict[str, str]:
    """The runs that peers made for these entries, and the peers' slugs."""
    peers = (entry.facts.get("peer") for entry in entries if entry.kind in OUTCOME_KINDS)
    told = (cast("Mapping[str, str]", peer) for peer in peers if peer is not None)
    return {each["run_id"]: each["slug"] for each in told}
