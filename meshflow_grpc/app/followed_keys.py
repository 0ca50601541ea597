"""A key set at a URL, followed as its issuer rotates keys."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.rpc.authenticators.jwt import JwtAuthenticator

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshflow_grpc.rpc.authenticators.jwt import JwtRules

_log = structlog.get_logger(__name__)

# Tokens that name unknown keys make it fetch at most so often: anyone can send those.
BETWEEN_UNKNOWN_S: Final = 10.0


class FollowedKeys:
    """Fetches the set again every ``every_s``, and when a token names a key that is not in it.

    A set that cannot be fetched or used changes nothing: the one before stays in use, and the log says so. A key that its issuer has
    withdrawn is refused from the next fetch on.
    """

    def __init__(self, fetch: Callable[[], Awaitable[str]], every_s: float, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._every_s = every_s
        self._clock = clock
        self._text = ""
        self._fetched_at = 0.0
        self._under_way: asyncio.Task[None] | None = None
        self._authenticator: JwtAuthenticator | None = None

    async def open(self, rules: JwtRules) -> JwtAuthenticator:
        """Returns what verifies tokens. Raises OSError and ValueError when the set cannot be fetched or used."""
        self._text = await self._fetch()
        self._fetched_at = self._clock()
        self._authenticator = JwtAuthenticator(self._text, rules, unknown_key=self.look_for_more)
        return self._authenticator

    async def keep(self) -> None:
        """Fetches again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await self._again()

    async def look_for_more(self) -> None:
        """Fetches once for all who ask meanwhile, unless that was done a moment ago."""
        if self._under_way is None or self._under_way.done():
            if self._clock() - self._fetched_at < BETWEEN_UNKNOWN_S:
                return
            self._under_way = asyncio.create_task(self._again())
        await asyncio.shield(self._under_way)

    async def _again(self) -> None:
        self._fetched_at = self._clock()
        try:
            text = await self._fetch()
            if text != self._text and self._authenticator is not None:
                self._authenticator.replace(text)
                self._text = text
                _log.info("reloaded", what="jwt_key_set")
        except (OSError, ValueError) as error:
            _log.error("not_reloaded", what="jwt_key_set", reason=str(error), note="the one before stays in use")
