"""The vectors of docs/merkle-log.md hold, by the definitions of RFC 6962 and by our code."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from meshflow_grpc.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from meshflow_grpc.ledger.merkle import consistency_proof, inclusion_proof, leaf_hash, root_of
from meshflow_grpc.ledger.note_key import load_signing_key, parse_vkeys
from meshflow_grpc.ledger.proof_text import ConsistencyProof, InclusionProof
from tests.unit.ledger.merkle_trees import path, reader, root, stored, subproof

PAGE = Path(__file__).parents[3] / "docs" / "merkle-log.md"


@cache
def vectors() -> dict[str, Any]:
    """The JSON block of the page."""
    match = re.search(r"```json\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert match is not None
    document: dict[str, Any] = json.loads(match[1])
    return document


def records() -> list[bytes]:
    """The records of the vectors."""
    return [record.encode() for record in vectors()["records"]]


def test_hashes_are_those_documented() -> None:
    """Leaves and the root of each size, computed by the recursive definition and by ours."""
    hash_of = reader(stored(records()))

    assert [leaf_hash(record).hex() for record in records()] == vectors()["leaves"]
    for size, documented in enumerate(vectors()["roots"]):
        assert root(records()[:size]).hex() == documented
        assert root_of(size, hash_of).hex() == documented


def test_nodes_are_those_documented() -> None:
    """Every row that a store holds, and no other."""
    assert [[level, idx, value.hex()] for (level, idx), value in sorted(stored(records()).items())] == vectors()[
        "nodes"
    ]


def test_the_checkpoint_is_the_one_documented() -> None:
    """Signing it again gives the same bytes, and its public key opens it."""
    key, size = load_signing_key(vectors()["skey"]), len(records())
    checkpoint = Checkpoint(key.name, size, root(records()))

    assert key.verifier.vkey == vectors()["vkey"]
    assert sign_checkpoint(checkpoint, [key]) == vectors()["checkpoint"]
    assert open_checkpoint(vectors()["checkpoint"], parse_vkeys(vectors()["vkey"])).checkpoint == checkpoint


def test_the_proofs_are_those_documented() -> None:
    """Their texts hold the hashes of the recursive definition and the checkpoint."""
    hash_of, size = reader(stored(records())), len(records())
    inclusion = InclusionProof.parse(vectors()["inclusion"])
    consistency = ConsistencyProof.parse(vectors()["consistency"])

    assert inclusion.hashes == path(4, records()) == inclusion_proof(4, size, hash_of)
    assert consistency.hashes == subproof(3, records()) == consistency_proof(3, size, hash_of)
    assert (inclusion.index, consistency.old_size) == (4, 3)
    assert inclusion.checkpoint == consistency.checkpoint == vectors()["checkpoint"]


def test_the_example_of_a_checkpoint_is_that_of_three_records() -> None:
    """The page's picture is not invented."""
    assert base64.b64encode(root(records()[:3])).decode() in PAGE.read_text()
