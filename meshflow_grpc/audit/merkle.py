"""RFC 6962 Merkle trees: hashes, a tree's root as it grows, and the two proofs."""

from __future__ import annotations

from hashlib import sha256


class ProofError(ValueError):
    """A proof does not show what it should."""


def leaf_hash(record: bytes) -> bytes:
    """Returns SHA-256(0x00 || record)."""
    return sha256(b"\x00" + record).digest()


def _parent(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class GrowingTree:
    """A tree to which leaves are added in order."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Adds a leaf's hash."""
        ones = self.size
        while ones & 1:
            leaf = _parent(self._peaks.pop(), leaf)
            ones >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Returns the root over the leaves added so far."""
        if not self._peaks:
            return sha256(b"").digest()
        *lefts, root = self._peaks
        while lefts:
            root = _parent(lefts.pop(), root)
        return root


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """Returns the root that a proof leads to from leaf ``index`` of ``size``; raises ProofError for a wrong length."""
    if not 0 <= index < size:
        message = f"index {index} is not in a tree of {size}"
        raise ProofError(message)
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        message = f"has {len(proof)} hashes where {inner + (index >> inner).bit_count()} are needed"
        raise ProofError(message)
    for level, sibling in enumerate(proof):
        leaf = _parent(leaf, sibling) if level < inner and not index >> level & 1 else _parent(sibling, leaf)
    return leaf


def roots_from_consistency(old_size: int, size: int, proof: list[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    """Returns the older and the newer root that a proof leads to, for 0 < old_size < size; raises ProofError for a wrong length."""
    if not 0 < old_size < size:
        message = f"{old_size} is not between 0 and {size}"
        raise ProofError(message)
    whole = (old_size & -old_size).bit_length() - 1
    start = old_root
    hashes = list(proof)
    if old_size != 1 << whole:
        if not hashes:
            message = "has no hashes"
            raise ProofError(message)
        start = hashes.pop(0)
    index = (old_size - 1) >> whole
    inner = (index ^ ((size - 1) >> whole)).bit_length()
    if len(hashes) != inner + (index >> inner).bit_count():
        message = f"has {len(proof)} hashes, which is not the number that these sizes need"
        raise ProofError(message)
    older = newer = start
    for level, sibling in enumerate(hashes):
        if level < inner and not index >> level & 1:
            newer = _parent(newer, sibling)
        else:
            older, newer = _parent(sibling, older), _parent(sibling, newer)
    return older, newer
