"""A finished ledger of 20 runs in a file, and what an attacker with the file can do to it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.commands.verify_run import verify_run
from meshflow_grpc.ledger.checkpoint import open_checkpoint
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, STEP_USAGE, create, finished, step
from tests.fakes.log_keys import KEYS, publisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshflow_grpc.domain.check import ChainVerification, LogVerification
    from meshflow_grpc.ledger.checkpoint import Checkpoint

RUNS = 20
STEPS = 4
ENTRIES = RUNS * (STEPS + 2)
PAYLOAD_KEYS = PayloadKeys((b"k" * 32,))


@dataclass(frozen=True)
class Verified:
    """What the whole verification found."""

    log: LogVerification
    runs: dict[str, ChainVerification]

    @property
    def valid(self) -> bool:
        """Whether nothing was found."""
        return bool(self.log) and all(self.runs.values())

    def names(self, *, run_id: str = "", sequence: int = 0, seq: int = 0) -> bool:
        """Whether a fault names the entry, by run and sequence or by seq."""
        by_run = any(fault.sequence == sequence for fault in (self.runs[run_id].faults if run_id in self.runs else ()))
        in_log = any(
            (seq and fault.seq == seq) or (run_id and (fault.run_id, fault.sequence) == (run_id, sequence))
            for fault in self.log.faults
        )
        chains = (fault for result in self.runs.values() for fault in result.faults)
        return by_run or in_log or any(seq and fault.seq == seq for fault in chains)


async def build(path: Path, *, encrypted: bool = False) -> list[Checkpoint]:
    """Writes the ledger, its runs interleaved, with a head after each round; returns the heads."""
    storage = await open_storage(str(path), payload_keys=PAYLOAD_KEYS if encrypted else NO_KEYS)
    log, heads = publisher(storage), []
    ids = [f"run_{number:02}" for number in range(RUNS)]
    for run_id in ids:
        await create(storage, run_id)
    for place in range(1, STEPS + 1):
        for run_id in ids:
            await storage.append(run_id, (step(run_id, place),), RunChange(usage=STEP_USAGE))
        heads.append(await log.publish())
    for run_id in ids:
        await storage.append(run_id, (finished(run_id),), ENDED)
    heads.append(await log.publish())
    await storage.close()
    return [open_checkpoint(head.note, KEYS.verifiers).checkpoint for head in heads]


def tampered(path: Path, copy: Path, attack: Callable[[sqlite3.Connection], object]) -> Path:
    """Returns a copy of the file in which an attacker, past all triggers and indexes, did something."""
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        names = connection.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        for kind, name in names:
            if kind in {"trigger", "index"}:
                connection.execute(f"DROP {kind} {name}")
        attack(connection)
    return copy


async def verified(path: Path, *kept: Checkpoint) -> Verified:
    """Verifies the whole file as ``meshflow ledger verify`` does."""
    storage = await open_storage(str(path), read_only=True, payload_keys=PAYLOAD_KEYS)
    try:
        log, runs = await verify_log(storage, KEYS.verifiers, kept)
        return Verified(log, {run: await verify_run(storage, tenant, run, KEYS.verifiers) for tenant, run in runs})
    finally:
        await storage.close()


def verified_now(path: Path, *kept: Checkpoint) -> Verified:
    """``verified``, for tests that are not coroutines."""
    return asyncio.run(verified(path, *kept))
