"""Gathers the evidence of runs: their entries and rows, proofs under the newest signed head, and the keys that signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.commands.get_inclusion_proof import prove_entry
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, RunNotFoundError
from meshflow_grpc.ledger.checkpoint import open_checkpoint
from meshflow_grpc.ledger.evidence import Coverage, EntryProof, Evidence, bundle_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.storage import Storage


async def export_evidence(
    storage: Storage,
    tenant_id: str,
    run_ids: Sequence[str],
    keys: Sequence[VerifierKey],
    exported: str,
    *,
    with_payloads: bool = True,
    peers: Mapping[str, bytes] | None = None,
) -> bytes:
    """Returns the bundle of a tenant's runs; ``keys`` are those that may have signed, ``exported`` says who exports and when.

    ``peers`` holds the bundles of runs that peers made, by run id.

    Raises RunNotFoundError, or InvalidRequestError when no head that one of the keys signed covers the runs yet.
    """
    newest = await storage.newest_head()
    if newest is None:
        raise _refuse("checkpoints", "the ledger has no signed head yet; start the server on it once")
    signed = open_checkpoint(newest.note, keys)
    entries: list[EntryRow] = []
    rows: list[RunRow] = []
    proofs: list[EntryProof] = []
    for run_id in dict.fromkeys(run_ids):
        run, found = await _run(storage, tenant_id, run_id)
        last = found[-1]
        if not isinstance(last.seq, int) or not isinstance(last.sequence, int) or last.seq > newest.size:
            raise _refuse("run_ids", f"no signed head covers run {run_id!r} yet; the server signs one within a second")
        proved = await prove_entry(storage, last.seq, newest)
        proofs.append(EntryProof(run_id, last.sequence, proved.proof))
        rows.append(run)
        entries += found
    evidence = Evidence(
        origin=signed.checkpoint.origin,
        coverage=Coverage.RUNS,
        entries=sorted(entries, key=lambda row: int(str(row.seq))),
        runs=rows,
        checkpoints=[newest.note],
        keys=signed.signers,
        exported=exported,
        proofs=proofs,
        with_payloads=with_payloads,
        peers=peers or {},
    )
    return b"".join(bundle_chunks(evidence))


async def _run(storage: Storage, tenant_id: str, run_id: str) -> tuple[RunRow, list[EntryRow]]:
    found: list[EntryRow] = []
    async with storage.raw_chain(tenant_id, run_id) as chain:
        async for page in chain.pages:
            found += page
        if chain.run is None or not found:
            raise RunNotFoundError(run_id)
        return chain.run, found


def _refuse(field: str, description: str) -> InvalidRequestError:
    return InvalidRequestError.of(FieldViolation(field, description))
