"""Which tokens were used already: a bounded memory as long as a token lives."""

from __future__ import annotations

import hashlib

from meshflow_grpc.domain.errors import RateLimitedError

MOST = 500_000


class UsedTokens:
    """Two generations of token ids, turned over once per lifetime; an id is remembered for at least one lifetime."""

    def __init__(self, lifetime_s: float, most: int = MOST) -> None:
        self._lifetime_s = lifetime_s
        self._most = most
        self._recent: set[bytes] = set()
        self._older: set[bytes] = set()
        self._turned = float("-inf")

    def use(self, token_id: str, now: float) -> bool:
        """Whether this is the first use. Raises RateLimitedError rather than forget ids too early."""
        self._turn(now)
        digest = hashlib.blake2b(token_id.encode(), digest_size=16).digest()
        if digest in self._recent or digest in self._older:
            return False
        if len(self._recent) >= self._most:
            message = f"nodes called more than {self._most} times within {self._lifetime_s:g} s"
            raise RateLimitedError(message, retry_after_s=self._turned + self._lifetime_s - now)
        self._recent.add(digest)
        return True

    def _turn(self, now: float) -> None:
        passed = now - self._turned
        if passed < self._lifetime_s:
            return
        self._older = self._recent if passed < 2 * self._lifetime_s else set()
        self._recent = set()
        self._turned = now
