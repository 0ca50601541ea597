"""Follows whether the ledger can be reached, so that probes never have to ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.errors import LedgerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshflow_grpc.engine.server_state import ServerState
    from meshflow_grpc.ports.storage import Storage

_log = structlog.get_logger(__name__)

EVERY_S = 1.0
# A ledger that answers more slowly is overloaded, and a server without it takes no runs.
ANSWER_S = 5.0


async def keep_readiness(state: ServerState, storage: Storage, publish: Callable[[bool], Awaitable[None]]) -> None:
    """Asks the ledger once a second and publishes every change of readiness, until cancelled."""
    published: bool | None = None
    while True:
        reachable = await _reachable(storage)
        if reachable != state.ledger_reachable:
            state.ledger_reachable = reachable
            (_log.info if reachable else _log.error)("ledger_reachable" if reachable else "ledger_not_reachable")
        if state.ready != published:
            published = state.ready
            await publish(published)
        await asyncio.sleep(EVERY_S)


async def _reachable(storage: Storage) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            await storage.ping()
    except (LedgerUnavailableError, TimeoutError):
        return False
    return True
