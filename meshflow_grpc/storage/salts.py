"""Random salts for commitments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.ledger.chain import SALT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_SALTS_DRAWN_AT_ONCE = 256


class SaltSource:
    """Random salts, drawn from the system many at a time: each draw gives up the interpreter lock."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._pool = b""
        self._used = 0

    def __call__(self) -> bytes:
        """Returns 32 fresh random bytes."""
        if self._used == len(self._pool):
            self._pool, self._used = self._random_bytes(SALT_BYTES * _SALTS_DRAWN_AT_ONCE), 0
        start = self._used
        self._used += SALT_BYTES
        return self._pool[start : self._used]
