"""Heads and proofs over gRPC; a tenant sees proofs of its own entries alone."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2 as messages
from meshflow_grpc._gen.meshflow.v1 import run_pb2
from meshflow_grpc.ledger.checkpoint import open_checkpoint
from meshflow_grpc.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from meshflow_grpc.ledger.note_key import VerifierKey
from meshflow_grpc.ledger.proof_text import InclusionProof
from tests.conformance.drafts import whole_run
from tests.service.conftest import Service, failing


async def head_of(service: Service) -> Any:
    """The newest head."""
    return (await service.ledger.GetTreeHead(messages.GetTreeHeadRequest())).head


async def finished_run(service: Service, task: str = "t") -> Any:
    """A run that ended."""
    return await service.runs.Run(run_pb2.RunRequest(task=task))


async def test_a_head_covers_all_that_was_recorded_before(service: Service) -> None:
    """It is signed by the key it names, and grows with the ledger."""
    empty = await head_of(service)
    run = await finished_run(service)
    head = await head_of(service)
    assert (empty.size, head.size) == (0, run.ledger_head.sequence)
    signed = open_checkpoint(head.checkpoint, [VerifierKey.parse(vkey) for vkey in head.keys])
    assert (signed.checkpoint.size, signed.checkpoint.root) == (head.size, head.root)
    assert signed.checkpoint.origin == head.origin


async def test_every_entry_has_a_proof(service: Service) -> None:
    """By run and sequence, and by seq; the record leads to the signed root."""
    run = await finished_run(service)
    entries = (await service.ledger.ListEntries(messages.ListEntriesRequest(run_id=run.run_id))).entries
    for entry in entries:
        asked = messages.GetInclusionProofRequest(run_id=run.run_id, sequence=entry.sequence)
        proof = (await service.ledger.GetInclusionProof(asked)).proof
        assert proof == (await service.ledger.GetInclusionProof(messages.GetInclusionProofRequest(seq=entry.seq))).proof
        text = proof.checkpoint.split("\n\n")[0].split("\n")
        assert int(text[1]) == proof.tree_size
        head = await head_of(service)
        leaf = leaf_hash(entry.record.encode())
        assert proof.leaf_hash == leaf
        verify_inclusion(leaf, proof.leaf_index, proof.tree_size, list(proof.hashes), head.root)
        assert InclusionProof.parse(proof.tlog_proof).hashes == tuple(proof.hashes)


async def test_the_log_is_proved_to_have_only_grown(service: Service) -> None:
    """From a head kept earlier to the newest, and between any two sizes."""
    await finished_run(service)
    old = await head_of(service)
    await finished_run(service, "another")
    new = await head_of(service)
    proof = (await service.ledger.GetConsistencyProof(messages.GetConsistencyProofRequest(first=old.size))).proof
    assert (proof.second, proof.first_root, proof.second_root) == (new.size, old.root, new.root)
    assert proof.checkpoint == new.checkpoint
    verify_consistency(old.size, new.size, list(proof.hashes), old.root, new.root)
    between = messages.GetConsistencyProofRequest(first=1, second=2)
    assert (await service.ledger.GetConsistencyProof(between)).proof.checkpoint == ""


async def test_another_tenants_entry_does_not_exist(service: Service) -> None:
    """By run or by seq the answer is that of an entry that was never there."""
    await whole_run(service.world.storage, "run_of_acme")
    for asked in (
        messages.GetInclusionProofRequest(run_id="run_of_acme", sequence=1),
        messages.GetInclusionProofRequest(seq=1),
        messages.GetInclusionProofRequest(run_id="run_of_nobody", sequence=1),
        messages.GetInclusionProofRequest(seq=99),
    ):
        failure = await failing(service.ledger.GetInclusionProof(asked))
        assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (messages.GetInclusionProofRequest(), "run_id"),
        (messages.GetInclusionProofRequest(run_id="r", seq=1), "run_id"),
        (messages.GetInclusionProofRequest(run_id="r"), "sequence"),
        (messages.GetInclusionProofRequest(run_id="r", sequence=-1), "sequence"),
        (messages.GetInclusionProofRequest(seq=-1), "seq"),
        (messages.GetInclusionProofRequest(seq=1, sequence=1), "sequence"),
        (messages.GetConsistencyProofRequest(first=-1), "first"),
        (messages.GetConsistencyProofRequest(first=1, second=-1), "second"),
        (messages.GetConsistencyProofRequest(first=7, second=9), "second"),
        (messages.GetConsistencyProofRequest(first=1), "first"),
    ],
)
async def test_bad_requests_name_their_field(service: Service, asked: Any, field: str) -> None:
    """INVALID_ARGUMENT, with the field."""
    call = (
        service.ledger.GetInclusionProof if "Inclusion" in type(asked).__name__ else service.ledger.GetConsistencyProof
    )
    failure = await failing(call(asked))
    assert (failure.code, failure.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


async def test_verifying_a_run_says_how_much_of_it_is_in_the_log(service: Service) -> None:
    """All of it, once a head covers it."""
    run = await finished_run(service)
    request = messages.VerifyRunRequest(run_id=run.run_id)
    assert (await service.ledger.VerifyRun(request)).log_size == 0
    head = await head_of(service)
    verified = await service.ledger.VerifyRun(request)
    assert (verified.valid, verified.entries_in_log, verified.log_size) == (True, head.size, head.size)
