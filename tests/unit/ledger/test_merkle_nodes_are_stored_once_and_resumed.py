"""Integration writes every complete subtree once, in batches of any size, and goes on from any of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.ledger.merkle import InvalidProofError, NodeId, leaf_hash, node_hash
from meshflow_grpc.ledger.merkle_nodes import CompactRange, frontier_nodes, node_count
from tests.unit.ledger.merkle_trees import root, stored

RECORDS = [b"entry %d" % number for number in range(200)]


@pytest.mark.parametrize("size", range(65))
def test_every_complete_subtree_is_a_row(size: int) -> None:
    """No row is missing, none is written twice, and each is the hash of its two children."""
    nodes = CompactRange().append(RECORDS[:size])
    rows = {NodeId(level, idx): value for level, idx, value in nodes}

    assert len(nodes) == len(rows) == node_count(size)
    assert set(rows) == {NodeId(level, idx) for level in range(7) for idx in range(size >> level)}
    for (level, idx), value in rows.items():
        if level == 0:
            assert value == leaf_hash(RECORDS[idx])
        else:
            assert value == node_hash(rows[NodeId(level - 1, 2 * idx)], rows[NodeId(level - 1, 2 * idx + 1)])


@given(st.lists(st.integers(0, 40), max_size=8))
def test_any_batching_with_a_restart_after_each_batch_writes_the_same_rows(batches: list[int]) -> None:
    """A resumed integrator reads only the right edge, and its rows and root are those of one that never stopped."""
    rows: dict[NodeId, bytes] = {}
    done = 0
    for batch in batches:
        take = RECORDS[done : done + batch]
        edge = CompactRange.resume(done, {node: rows[node] for node in frontier_nodes(done)})
        rows.update({NodeId(level, idx): value for level, idx, value in edge.append(take)})
        done += len(take)
        assert edge.size == done
        assert edge.root() == root(RECORDS[:done])
    assert rows == stored(RECORDS[:done])


def test_integrating_a_batch_again_changes_no_row() -> None:
    """After a crash between writing rows and noting the new size, the same rows come out again."""
    rows = {NodeId(level, idx): value for level, idx, value in CompactRange().append(RECORDS[:50])}
    again = CompactRange.resume(37, rows).append(RECORDS[37:50])

    assert again
    assert all(rows[NodeId(level, idx)] == value for level, idx, value in again)


def test_a_missing_or_damaged_edge_node_is_named() -> None:
    """Resuming never guesses."""
    rows = {node: value for node, value in stored(RECORDS[:7]).items() if node != (1, 2)}
    with pytest.raises(InvalidProofError, match="idx=2"):
        CompactRange.resume(7, {NodeId(*node): value for node, value in rows.items()})
    with pytest.raises(InvalidProofError, match="level=0"):
        CompactRange.resume(1, {NodeId(0, 0): b"short"})


def test_the_edge_of_a_tree_is_one_node_for_each_set_bit() -> None:
    """A log of a million entries is resumed from seven rows."""
    assert len(frontier_nodes(1_000_000)) == 7
    assert frontier_nodes(0) == ()
    with pytest.raises(InvalidRequestError, match="size"):
        frontier_nodes(-1)
