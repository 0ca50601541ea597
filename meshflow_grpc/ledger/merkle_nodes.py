"""Which nodes a store keeps as leaves are appended: every complete subtree, once, as a row (level, idx, hash).

A node never changes and depends only on the leaves below it. So integration may be repeated, interrupted and resumed from any size, and
two integrators of the same log write the same rows. The right edge (frontier) of a tree is read back with ``frontier_nodes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.ledger.merkle import HASH_BYTES, InvalidProofError, LeafRange, NodeId, fold, leaf_hash, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class MerkleNode(NamedTuple):
    """A row of ``merkle_nodes``: the hash of the complete subtree of 2^level leaves starting at leaf idx * 2^level."""

    level: int
    idx: int
    hash: bytes


# What a named tuple's own constructor does, in less time.
_new = tuple.__new__


class CompactRange:
    """The right edge of a growing tree: the hashes of its complete subtrees, largest first, one for each bit set in its size."""

    def __init__(self) -> None:
        self._size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def resume(cls, size: int, hashes: Mapping[NodeId, bytes]) -> CompactRange:
        """Returns the edge of a stored tree from ``frontier_nodes(size)``.

        Raises InvalidProofError naming a node that is missing or not a hash.
        """
        resumed = cls()
        for node in frontier_nodes(size):
            value = hashes.get(node)
            if value is None or len(value) != HASH_BYTES:
                raise InvalidProofError.at("nodes", f"the stored tree of {size} leaves has no hash at {node}")
            resumed._hashes.append(value)
        resumed._size = size
        return resumed

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._size

    def root(self) -> bytes:
        """Returns the root of the tree as it stands."""
        return fold(self._hashes)

    def append(self, records: Iterable[bytes]) -> list[MerkleNode]:
        """Appends entries' records, in log order, and returns the nodes this completes, children before parents."""
        nodes: list[MerkleNode] = []
        for leaf in map(leaf_hash, records):
            nodes.append(_new(MerkleNode, (0, self._size, leaf)))
            self.add_leaf(leaf, nodes)
        return nodes

    def add_leaf(self, leaf: bytes, nodes: list[MerkleNode]) -> None:
        """Appends a leaf by its hash, and to ``nodes`` the subtrees of several leaves that this completes."""
        index, value, level, hashes = self._size, leaf, 0, self._hashes
        self._size += 1
        while index & 1:
            value = node_hash(hashes.pop(), value)
            level, index = level + 1, index >> 1
            nodes.append(_new(MerkleNode, (level, index, value)))
        hashes.append(value)


def frontier_nodes(size: int) -> tuple[NodeId, ...]:
    """Returns the nodes from which a tree of ``size`` leaves is resumed and its root computed: at most log2(size) + 1."""
    if size < 0:
        raise InvalidRequestError.of(FieldViolation("size", "must be at least 0"))
    return LeafRange(0, size).nodes()


def node_count(size: int) -> int:
    """Returns how many rows a fully integrated tree of ``size`` leaves has."""
    return 2 * size - size.bit_count()
