"""Roots and proofs are those of RFC 6962, for every small tree, and of its known vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.ledger.merkle import (
    EMPTY_ROOT,
    InvalidProofError,
    NodeId,
    assemble,
    consistency_proof,
    consistency_ranges,
    inclusion_proof,
    inclusion_ranges,
    leaf_hash,
    nodes_of,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.ledger.merkle_trees import path, reader, root, stored, subproof

RECORDS = [b"record %d" % number for number in range(65)]
ROWS = stored(RECORDS)
HASH_OF = reader(ROWS)
SIZES = range(1, 65)

CLASSIC_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CLASSIC_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def test_the_roots_of_the_classic_vector_are_reproduced() -> None:
    """The eight leaves that certificate transparency implementations are tested with, and their eight roots."""
    hash_of = reader(stored(CLASSIC_LEAVES))

    assert tuple(root_of(size, hash_of).hex() for size in range(1, 9)) == CLASSIC_ROOTS
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of(0, hash_of) == EMPTY_ROOT


def test_the_proofs_of_the_classic_vector_are_reproduced() -> None:
    """Leaf 6 of 8 (index 5), and size 6 within size 8, as published with the vector."""
    hash_of = reader(stored(CLASSIC_LEAVES))

    assert [value.hex() for value in inclusion_proof(5, 8, hash_of)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [value.hex() for value in consistency_proof(6, 8, hash_of)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_of_every_small_tree_has_its_proof(size: int) -> None:
    """The proof is the definition's, verifies for its own leaf and index, and for no other leaf or index."""
    expected = root(RECORDS[:size])
    assert root_of(size, HASH_OF) == expected
    for index in range(size):
        proof = inclusion_proof(index, size, HASH_OF)
        assert proof == path(index, RECORDS[:size])
        verify_inclusion(leaf_hash(RECORDS[index]), index, size, proof, expected)
        with pytest.raises(InvalidProofError):
            verify_inclusion(leaf_hash(b"another"), index, size, proof, expected)
        for other in {(index + 1) % size, size - 1 - index} - {index}:
            with pytest.raises(InvalidProofError):
                verify_inclusion(leaf_hash(RECORDS[index]), other, size, proof, expected)


@pytest.mark.parametrize("size", SIZES)
def test_every_pair_of_small_trees_has_its_consistency_proof(size: int) -> None:
    """The proof is the definition's, verifies for its own roots, and refuses another older or newer root."""
    newer = root(RECORDS[:size])
    for old_size in range(1, size + 1):
        older = root(RECORDS[:old_size])
        proof = consistency_proof(old_size, size, HASH_OF)
        assert proof == subproof(old_size, RECORDS[:size])
        verify_consistency(old_size, size, proof, older, newer)
        with pytest.raises(InvalidProofError):
            verify_consistency(old_size, size, proof, leaf_hash(b"x"), newer)
        with pytest.raises(InvalidProofError):
            verify_consistency(old_size, size, proof, older, leaf_hash(b"x"))


@pytest.mark.parametrize("size", [2, 3, 7, 8, 13, 64])
def test_a_changed_shortened_or_lengthened_proof_is_refused(size: int) -> None:
    """Each hash counts, and so does their number."""
    newer = root(RECORDS[:size])
    for index in range(size):
        proof, leaf = inclusion_proof(index, size, HASH_OF), leaf_hash(RECORDS[index])
        for bad in spoilt(proof):
            with pytest.raises(InvalidProofError):
                verify_inclusion(leaf, index, size, bad, newer)
    for old_size in range(1, size):
        proof, older = consistency_proof(old_size, size, HASH_OF), root(RECORDS[:old_size])
        for bad in spoilt(proof):
            with pytest.raises(InvalidProofError):
                verify_consistency(old_size, size, bad, older, newer)


def spoilt(proof: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    """Proofs that differ from a good one in one place."""
    flipped = [(*proof[:n], bytes([proof[n][0] ^ 1]) + proof[n][1:], *proof[n + 1 :]) for n in range(len(proof))]
    return [*flipped, proof[:-1], (*proof, bytes(32)), (*proof[:-1], proof[-1][:31])]


def test_a_node_cannot_pose_as_a_leaf() -> None:
    """Leaves and nodes are hashed in different domains, so the two halves of a node are no record."""
    left, right = ROWS[0, 0], ROWS[0, 1]

    with pytest.raises(InvalidProofError):
        verify_inclusion(leaf_hash(left + right), 0, 1, (), root(RECORDS[:2]))


def test_a_repeated_last_leaf_changes_the_root() -> None:
    """Trees of odd size do not duplicate their last leaf (CVE-2012-2459)."""
    assert root([*RECORDS[:3], RECORDS[2]]) != root_of(3, HASH_OF)


@given(st.integers(1, 3000), st.data())
def test_larger_trees_have_proofs_that_verify(size: int, data: st.DataObject) -> None:
    """Inclusion and consistency hold for any index and any smaller size of a tree of thousands."""
    index, old_size = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    newest = root_of(size, LARGE)

    verify_inclusion(LARGE(0, index), index, size, inclusion_proof(index, size, LARGE), newest)
    verify_consistency(old_size, size, consistency_proof(old_size, size, LARGE), root_of(old_size, LARGE), newest)


LARGE = reader(stored([b"%d" % number for number in range(3000)]))


def test_a_proof_in_a_log_of_a_million_reads_few_nodes() -> None:
    """O(log n): at most two reads for each level of the tree."""
    for size in (1_000_000, 999_999, 2**20 - 1):
        for place in (0, 1, size // 2, size - 2, size - 1):
            assert len(nodes_of(inclusion_ranges(place, size))) <= 40
            assert len(nodes_of(consistency_ranges(place, size))) <= 40


def test_a_proof_is_assembled_from_one_query() -> None:
    """The planned nodes, looked up together, give the same proof as reading one by one; a missing one is named."""
    ranges = inclusion_ranges(5, 13)
    nodes = nodes_of(ranges)
    found = {node: ROWS[node] for node in nodes}

    assert assemble(ranges, found) == inclusion_proof(5, 13, HASH_OF)
    del found[NodeId(0, 12)]
    with pytest.raises(InvalidProofError, match="idx=12"):
        assemble(ranges, found)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_a_proof_of_a_leaf_outside_the_tree_is_a_typed_error(index: int, size: int) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequestError, match="index"):
        inclusion_proof(index, size, HASH_OF)
    with pytest.raises(InvalidProofError, match="index"):
        verify_inclusion(bytes(32), index, size, (), bytes(32))


@pytest.mark.parametrize(("old_size", "size"), [(-1, 3), (4, 3)])
def test_a_consistency_proof_with_a_larger_old_tree_is_a_typed_error(old_size: int, size: int) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequestError, match="old_size"):
        consistency_proof(old_size, size, HASH_OF)
    with pytest.raises(InvalidProofError, match="old_size"):
        verify_consistency(old_size, size, (), bytes(32), bytes(32))


def test_the_empty_tree_and_the_same_tree_need_an_empty_proof() -> None:
    """Nothing is proved by it, so anything beside it is refused, and so are two roots for one size."""
    newest = root(RECORDS[:5])
    verify_consistency(0, 5, (), EMPTY_ROOT, newest)
    verify_consistency(5, 5, (), newest, newest)
    for old_size, old_root, proof in (
        (0, newest, ()),
        (5, EMPTY_ROOT, ()),
        (0, EMPTY_ROOT, (newest,)),
        (4, newest, ()),
    ):
        with pytest.raises(InvalidProofError):
            verify_consistency(old_size, 5, proof, old_root, newest)
