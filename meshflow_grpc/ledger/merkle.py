"""The Merkle tree over all entries: hashes, proofs, and their verification (RFC 6962 section 2.1, RFC 9162 section 2.1).

A leaf is an entry's record. Proofs are planned as the stored complete subtrees they take, so that a store reads O(log n) nodes
in one query; see merkle_nodes for what it stores.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()


class NodeId(NamedTuple):
    """A complete subtree: 2^level leaves, the first of which is leaf idx * 2^level."""

    level: int
    idx: int


class LeafRange(NamedTuple):
    """Leaves start to end - 1, whose subtree hash is one hash of a proof. ``start`` is a multiple of the width's next power of two."""

    start: int
    end: int

    def nodes(self) -> tuple[NodeId, ...]:
        """Returns the complete subtrees the range consists of, left to right."""
        nodes, start = [], self.start
        while start < self.end:
            level = (self.end - start).bit_length() - 1
            nodes.append(NodeId(level, start >> level))
            start += 1 << level
        return tuple(nodes)


class InvalidProofError(InvalidRequestError):
    """A proof does not show what it is given for; ``violations`` name the part that is wrong."""

    @classmethod
    def at(cls, field: str, description: str) -> InvalidProofError:
        """Builds the error for one field."""
        return cls(f"{field}: {description}", violations=(FieldViolation(field, description),))


def leaf_hash(record: bytes) -> bytes:
    """Returns the hash of a leaf: SHA-256 over 0x00 and the record's bytes."""
    return sha256(b"\0" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of an inner node: SHA-256 over 0x01 and both children."""
    return sha256(b"\1" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Returns the hash of adjoining complete subtrees, given left to right; the empty root when there are none."""
    if not hashes:
        return EMPTY_ROOT
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def inclusion_ranges(index: int, size: int) -> tuple[LeafRange, ...]:
    """Returns what an inclusion proof consists of, leaf's sibling first (RFC 9162 section 2.1.3.1).

    Raises InvalidRequestError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise InvalidRequestError.of(FieldViolation("index", f"must be at least 0 and below the tree size, {size}"))
    ranges, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append(LeafRange(middle, end))
            end = middle
        else:
            ranges.append(LeafRange(start, middle))
            start = middle
    return tuple(reversed(ranges))


def consistency_ranges(old_size: int, size: int) -> tuple[LeafRange, ...]:
    """Returns what a consistency proof consists of, in order (RFC 9162 section 2.1.4.1); none for 0 or equal sizes.

    Raises InvalidRequestError unless 0 <= old_size <= size.
    """
    if not 0 <= old_size <= size:
        raise InvalidRequestError.of(
            FieldViolation("old_size", f"must be at least 0 and at most the tree size, {size}")
        )
    if old_size in (0, size):
        return ()
    ranges, start, end = [], 0, size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append(LeafRange(middle, end))
            end = middle
        else:
            ranges.append(LeafRange(start, middle))
            start = middle
    if start > 0:
        ranges.append(LeafRange(start, end))
    return tuple(reversed(ranges))


def nodes_of(ranges: Sequence[LeafRange]) -> tuple[NodeId, ...]:
    """Returns the stored nodes that a proof reads, each once."""
    return tuple(dict.fromkeys(node for proof_range in ranges for node in proof_range.nodes()))


def assemble(ranges: Sequence[LeafRange], hashes: Mapping[NodeId, bytes]) -> tuple[bytes, ...]:
    """Returns a proof from its stored nodes; raises InvalidProofError naming one that is missing."""
    try:
        return tuple(fold([hashes[node] for node in proof_range.nodes()]) for proof_range in ranges)
    except KeyError as error:
        raise InvalidProofError.at(
            "nodes", f"the tree holds no node {error.args[0]}; integrate its entries first"
        ) from error


def inclusion_proof(index: int, size: int, hash_of: Callable[[int, int], bytes]) -> tuple[bytes, ...]:
    """Returns the proof that leaf ``index`` is in the tree of ``size`` leaves; ``hash_of(level, index)`` reads a stored node."""
    return tuple(_read(inclusion_ranges(index, size), hash_of))


def consistency_proof(old_size: int, size: int, hash_of: Callable[[int, int], bytes]) -> tuple[bytes, ...]:
    """Returns the proof that the tree of ``old_size`` leaves is a prefix of the one of ``size`` leaves."""
    return tuple(_read(consistency_ranges(old_size, size), hash_of))


def root_of(size: int, hash_of: Callable[[int, int], bytes]) -> bytes:
    """Returns the root of the first ``size`` leaves of a tree that may have grown since."""
    return fold([hash_of(level, index) for level, index in LeafRange(0, size).nodes()])


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Checks an inclusion proof of a leaf's hash (RFC 9162 section 2.1.3.2); raises InvalidProofError."""
    if not 0 <= index < size:
        raise InvalidProofError.at("index", f"{index} is not in a tree of {size} leaves")
    _check_hashes(leaf, root, *proof)
    computed = leaf
    for sibling, on_left in _sides(index, size - 1, proof):
        computed = node_hash(sibling, computed) if on_left else node_hash(computed, sibling)
    if computed != root:
        raise InvalidProofError.at("proof", "leads to another root")


def verify_consistency(old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """Checks that one tree is a prefix of another (RFC 9162 section 2.1.4.2); raises InvalidProofError."""
    if not 0 <= old_size <= size:
        raise InvalidProofError.at("old_size", f"a tree of {old_size} leaves is no prefix of one of {size}")
    _check_hashes(old_root, root, *proof)
    if old_size in (0, size):
        _check_trivial(old_size, size, proof, old_root, root)
        return
    old_computed, computed = _roots_of_consistency(old_size, size, proof, old_root)
    if old_computed != old_root:
        raise InvalidProofError.at("old_root", "the proof leads to another root of the smaller tree")
    if computed != root:
        raise InvalidProofError.at("root", "the proof leads to another root of the larger tree")


def _roots_of_consistency(old_size: int, size: int, proof: Sequence[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    """Returns the roots of both trees that a proof leads to."""
    if not proof:
        raise InvalidProofError.at("proof", "has too few hashes")
    first, *rest = proof if old_size & (old_size - 1) else (old_root, *proof)
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_computed = computed = first
    for sibling, on_left in _sides(node, last, rest):
        if on_left:
            old_computed, computed = node_hash(sibling, old_computed), node_hash(sibling, computed)
        else:
            computed = node_hash(computed, sibling)
    return old_computed, computed


def _sides(node: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yields each sibling on the way up and whether it is the left one; raises InvalidProofError for too many or too few."""
    for sibling in proof:
        if last == 0:
            raise InvalidProofError.at("proof", "has too many hashes")
        on_left = bool(node & 1) or node == last
        yield sibling, on_left
        while on_left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last != 0:
        raise InvalidProofError.at("proof", "has too few hashes")


def _check_trivial(old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    if proof:
        raise InvalidProofError.at("proof", "must be empty between equal trees and from the empty tree")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise InvalidProofError.at("old_root", "is not the root of the empty tree")
    if old_size == size and old_root != root:
        raise InvalidProofError.at("root", "two trees of the same size have different roots")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise InvalidProofError.at("proof", f"every hash must have {HASH_BYTES} bytes")


def _read(ranges: Sequence[LeafRange], hash_of: Callable[[int, int], bytes]) -> Iterator[bytes]:
    for proof_range in ranges:
        yield fold([hash_of(level, index) for level, index in proof_range.nodes()])


def _split(width: int) -> int:
    """The largest power of two smaller than the width, which is at least 2."""
    return 1 << (width - 1).bit_length() - 1
