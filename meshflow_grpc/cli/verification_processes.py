"""Verifies runs of a ledger, of a large one in several processes: each reads the ledger for itself, and a run is verified as in one."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Final

from meshflow_grpc.cli.ledger import reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from meshflow_grpc.domain.check import ChainVerification, LogVerification
    from meshflow_grpc.ledger.note_key import VerifierKey

# What one process verifies in about the time another one takes to start.
ENTRIES_A_PROCESS: Final = 40_000
MAX_PROCESSES: Final = 8
# Runs are not equally long: with several shares each, the processes end at about the same time.
SHARES_A_PROCESS: Final = 4

Owned = tuple[str, str]
"""Tenant and id of a run."""


def processes_for(entries: int, runs: int, cores: int) -> int:
    """How many processes a whole ledger is worth."""
    return max(1, min(cores, MAX_PROCESSES, entries // ENTRIES_A_PROCESS, runs))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


async def verified_runs(
    db: str | None, runs: Sequence[Owned], keys: tuple[VerifierKey, ...], log: LogVerification | None, processes: int
) -> AsyncIterator[list[ChainVerification]]:
    """Yields the results of runs in their order, some at a time; raises as verifying them here does."""
    size = -(-len(runs) // (processes * SHARES_A_PROCESS))
    shares = [runs[start : start + size] for start in range(0, len(runs), size)] if runs else []
    if processes == 1:
        for share in shares:
            yield await _verified(db, keys, log, share)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _end_on_interrupt)
    try:
        loop = asyncio.get_running_loop()
        work = partial(_verified_here, db, keys, log)
        for done in [loop.run_in_executor(pool, work, share) for share in shares]:
            yield await done
    finally:
        pool.shutdown(cancel_futures=True)


def _verified_here(
    db: str | None, keys: tuple[VerifierKey, ...], log: LogVerification | None, runs: Sequence[Owned]
) -> list[ChainVerification]:
    return asyncio.run(_verified(db, keys, log, runs))


async def _verified(
    db: str | None, keys: tuple[VerifierKey, ...], log: LogVerification | None, runs: Sequence[Owned]
) -> list[ChainVerification]:
    from meshflow_grpc.commands.verify_run import verify_runs

    async with reading(db) as storage:
        return [result async for result in verify_runs(storage, runs, keys, log)]


def _end_on_interrupt() -> None:
    """Ctrl-C reaches every process of the terminal: one that works for another ends without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
