"""Which places of a ledger hold no entry is answered from those that do, however far the end is."""

from __future__ import annotations

import pytest

from meshflow_grpc.storage.integration import missing_of


@pytest.mark.parametrize(
    ("last", "found", "limit", "missing"),
    [
        (6, [3, 4, 5, 6], 9, ()),
        (6, [4, 6], 9, (3, 5)),
        (6, [6, 4], 9, (3, 5)),
        (6, [], 9, (3, 4, 5, 6)),
        (2, [], 9, ()),
        (1 << 60, [3, 4, 7], 4, (5, 6, 8, 9)),
    ],
)
def test_gaps_and_the_end_are_missing(last: int, found: list[int], limit: int, missing: tuple[int, ...]) -> None:
    """From the third place on, as many as were asked for."""
    assert missing_of(3, last, found, (), limit) == missing
