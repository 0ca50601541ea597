"""Ledger entries and verifications as protobuf messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc._gen.meshflow.v1 import ledger_pb2, ledger_service_pb2, run_pb2
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from meshflow_grpc.commands.erase_run import ErasedRun
    from meshflow_grpc.commands.list_entries import EntryPage
    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.ledger_entry import LedgerEntry


def entry_to_proto(entry: LedgerEntry) -> ledger_pb2.LedgerEntry:
    """An entry with its canonical bytes, which are UTF-8 text."""
    return ledger_pb2.LedgerEntry(
        seq=entry.seq,
        run_id=entry.run_id,
        sequence=entry.sequence,
        node_id=entry.node_id,
        kind=entry.kind.value,
        step_id=entry.step_id,
        attempt=entry.attempt,
        time=timestamp(entry.time),
        input=entry.input,
        output=entry.output,
        prev_hash=entry.prev_hash,
        hash=entry.hash,
        record=entry.record.decode(),
    )


def entries_to_proto(page: EntryPage) -> ledger_service_pb2.ListEntriesResponse:
    """One page of entries."""
    return ledger_service_pb2.ListEntriesResponse(
        entries=[entry_to_proto(entry) for entry in page.entries], next_page_token=page.next_page_token
    )


def verification_to_proto(verification: ChainVerification) -> ledger_service_pb2.VerifyRunResponse:
    """Every fault, with the entry it is in."""
    return ledger_service_pb2.VerifyRunResponse(
        run_id=verification.run_id,
        valid=verification.valid,
        entries_checked=verification.entries_checked,
        faults=[
            ledger_service_pb2.ChainFault(
                sequence=fault.sequence, seq=fault.seq, node_id=fault.node_id, description=fault.description
            )
            for fault in verification.faults
        ],
        ledger_head=run_pb2.LedgerHead(sequence=verification.head_sequence, hash=verification.head_hash),
        payloads_checked=verification.payloads_checked,
        payloads_erased=verification.payloads_erased,
        entries_in_log=verification.entries_in_log,
        log_size=verification.log_size,
        erasures=[
            ledger_service_pb2.PayloadErasure(
                sequence=erasure.sequence,
                time=timestamp(erasure.time),
                principal_id=erasure.principal_id,
                basis=erasure.basis,
                payloads=erasure.payloads,
            )
            for erasure in verification.erasures
        ],
        deletion=_deletion_to_proto(verification),
    )


def _deletion_to_proto(verification: ChainVerification) -> ledger_service_pb2.RunDeletion | None:
    deletion = verification.deletion
    if deletion is None:
        return None
    return ledger_service_pb2.RunDeletion(
        sequence=verification.head_sequence,
        time=timestamp(deletion.time),
        principal_id=deletion.principal_id,
        basis=deletion.basis,
        entries=deletion.entries,
    )


def erased_to_proto(erased: ErasedRun) -> ledger_service_pb2.EraseRunResponse:
    """The erasure and the chain's new end, which is the erasure's own entry."""
    entry = erased.entry
    return ledger_service_pb2.EraseRunResponse(
        run_id=entry.run_id,
        sequence=entry.sequence,
        payloads_erased=erased.payloads,
        ledger_head=run_pb2.LedgerHead(sequence=entry.sequence, hash=entry.hash),
        entries_deleted=erased.entries,
        erased_forks=erased.erased_forks,
        remaining_forks=erased.remaining_forks,
    )
