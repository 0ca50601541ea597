"""A tree built straight from the definition in RFC 6962 section 2.1, slow and obvious: what the fast one is compared with."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from meshflow_grpc.ledger.merkle_nodes import CompactRange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def split(count: int) -> int:
    """The largest power of two smaller than the count."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n])."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return ()
    k = split(len(leaves))
    if index < k:
        return (*path(index, leaves[:k]), root(leaves[k:]))
    return (*path(index - k, leaves[k:]), root(leaves[:k]))


def subproof(old_size: int, leaves: Sequence[bytes], known: bool = True) -> tuple[bytes, ...]:
    """SUBPROOF(m, D[n], b), which is PROOF(m, D[n]) when b is true."""
    if old_size == len(leaves):
        return () if known else (root(leaves),)
    k = split(len(leaves))
    if old_size <= k:
        return (*subproof(old_size, leaves[:k], known), root(leaves[k:]))
    return (*subproof(old_size - k, leaves[k:], False), root(leaves[:k]))


def stored(records: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """The rows a store would hold for these records, by (level, idx)."""
    return {(level, idx): value for level, idx, value in CompactRange().append(records)}


def reader(rows: dict[tuple[int, int], bytes]) -> Callable[[int, int], bytes]:
    """Reads a stored node."""
    return lambda level, index: rows[level, index]
