"""The yardstick of `cpu_budget`: the least work that still is a governed, chained, durable step, in one process.

Each step's limits are checked, its input and its output are scanned for personal data, secrets and injected instructions, its record
is JSON with sorted keys, chained to the one before by SHA-256, and committed (WAL, synchronous=FULL) before the next step begins.
Runs share commits. Nothing of meshflow_grpc is used: what is saved in the engine does not move what it is measured against.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import queue
import sqlite3
import threading
import time
from pathlib import Path
from typing import NamedTuple, Self

import orjson
import re2

from benchmarks.capstone import STEPS, TASK, answer

GENESIS = "0" * 64
PATTERNS = (
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}\.[A-Za-z]{2,24}",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\+[1-9]\d{7,14}\b",
    r"\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}\b",
    r"\b4\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b",
    r"\b5[1-5]\d{2}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b",
    r"\b3[47]\d{2}[ -]?\d{6}[ -]?\d{5}\b",
    r"\b[A-Z]{2}\d{2} ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}\b",
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    r"\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    r"\bxox[baprs]-[A-Za-z0-9-]{10,60}\b",
    r"\bAIza[0-9A-Za-z_-]{35}\b",
    r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,40}\b",
    r"\bsk-[A-Za-z0-9_-]{20,100}\b",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----",
    r"(?i:bearer)\s{1,4}[A-Za-z0-9._-]{20,200}",
    r"(?i:password|passwd|pwd)\s{0,4}[=:]\s{0,4}\S{6,64}",
    r"[a-z]{3,10}://[^/\s:@]{1,64}:[^/\s:@]{1,64}@",
    r"(?i:date of birth|born)\s{0,4}:?\s{0,4}\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}",
    r"(?i:passport)[^.\n]{0,12}[A-Z]{1,2}\d{6,8}\b",
    r"(?i:\bmrn|medical record)[^.\n]{0,12}\d{6,10}\b",
    r"\b[A-TV-Z]\d{2}\.\d{1,4}\b",
    r"\b0x[a-fA-F0-9]{40}\b",
    r"(?i:ignore (?:all |any )?(?:previous|prior|above) instructions)",
    r"(?i:disregard the above)",
    r"(?i:you are now)",
    r"(?i:developer mode|jailbreak)",
    r"(?i:reveal|print|repeat) (?:your|the) system prompt",
)
SCHEMA = (
    "CREATE TABLE steps (seq INTEGER PRIMARY KEY, run TEXT NOT NULL, step INTEGER NOT NULL, hash TEXT NOT NULL, record BLOB NOT NULL,"
    " UNIQUE (run, step))"
)
# Statements hold so many rows at most; SQLite takes 32,766 parameters in one.
ROWS = 256
INSERT = [
    f"INSERT INTO steps (run, step, hash, record) VALUES {','.join(['(?,?,?,?)'] * n)}" for n in range(1, ROWS + 1)
]
RISK = {"researcher": 1, "analyst_a": 1, "analyst_b": 1, "writer": 1, "gate": 1, "publisher": 3}
HIGHEST_RISK = 3
MICRO_USD = 17


class Row(NamedTuple):
    """One step as it is kept."""

    run: str
    step: int
    hash: str
    record: bytes


class Ledger:
    """Appends of all runs that wait while a commit is under way share the next one."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._batches: queue.SimpleQueue[tuple[list[Row], asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._waiting: list[Row] = []
        self._durable: asyncio.Future[None] = self._loop.create_future()
        self._idle = True
        self._thread = threading.Thread(target=self._write, args=(path,))
        self._thread.start()

    def append(self, row: Row) -> asyncio.Future[None]:
        """Done when the row is on disk."""
        self._waiting.append(row)
        if self._idle:
            self._idle = False
            self._loop.call_soon(self._hand_over)
        return self._durable

    def _hand_over(self) -> None:
        if not self._waiting:
            self._idle = True
            return
        self._batches.put((self._waiting, self._durable))
        self._waiting, self._durable = [], self._loop.create_future()

    def _committed(self, durable: asyncio.Future[None]) -> None:
        durable.set_result(None)
        # After those that wait for it have run, so that what they append next is in the same batch.
        self._loop.call_soon(self._hand_over)

    def _write(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(SCHEMA)
        while (batch := self._batches.get()) is not None:
            rows, durable = batch
            if len(rows) == 1:
                connection.execute(INSERT[0], rows[0])
            else:
                connection.execute("BEGIN IMMEDIATE")
                for start in range(0, len(rows), ROWS):
                    part = rows[start : start + ROWS]
                    connection.execute(INSERT[len(part) - 1], [cell for row in part for cell in row])
                connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(self._committed, durable)
        connection.close()

    async def close(self) -> None:
        """Ends the writer."""
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)


class Run:
    """One run of the workload."""

    def __init__(self, run_id: str, engine: Engine) -> None:
        self._id, self._engine = run_id, engine
        self._taken, self._head, self._spent = 0, GENESIS, 0

    async def execute(self) -> str:
        """Returns what the publisher says."""
        found = await self._step("researcher", TASK)
        views = await asyncio.gather(self._step("analyst_a", found), self._step("analyst_b", found))
        draft = "".join(views)
        for score in (0.5, 0.9):
            draft = await self._step("writer", draft)
            await self._step("gate", draft)
            if score >= 0.8:
                break
        return await self._step("publisher", draft)

    async def _step(self, node: str, given: str) -> str:
        engine = self._engine
        if self._spent > engine.budget or engine.failures.get(node, 0) > 5 or RISK[node] > HIGHEST_RISK:
            raise PermissionError(node)
        asked = engine.scan(given)
        began = time.time_ns()
        text = answer(node)
        ended = time.time_ns()
        findings = [asked, engine.scan(text)]
        self._spent += MICRO_USD
        step, self._taken = self._taken, self._taken + 1
        fields = {"run": self._id, "step": step, "node": node, "risk": RISK[node], "began": began, "ended": ended}
        fields |= {"input_sha256": hashlib.sha256(given.encode()).hexdigest(), "output": text, "findings": findings}
        fields |= {"micro_usd": MICRO_USD, "verdict": "committed", "previous": self._head}
        record = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        self._head = hashlib.sha256(record).hexdigest()
        await engine.ledger.append(Row(self._id, step, self._head, record))
        return text


class Engine:
    """Takes runs; use it as an async context manager."""

    def __init__(self, path: Path) -> None:
        patterns = re2.Set.SearchSet()
        for pattern in PATTERNS:
            patterns.Add(pattern)
        patterns.Compile()
        self.scan = patterns.Match
        self.budget, self.failures = 1_000_000, dict[str, int]()
        self.ledger = Ledger(path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ledger.close()


async def cpu_us_a_step(folder: Path, runs: int, in_flight: int) -> float:
    """CPU of the whole process, the writer's thread included, after a warm-up of a run each."""
    async with Engine(folder / "yardstick.db") as engine:
        numbers = itertools.count()

        async def worker(count: int) -> None:
            for _ in range(count):
                await Run(f"run_{next(numbers):09}", engine).execute()

        await asyncio.gather(*(worker(1) for _ in range(in_flight)))
        each = max(1, runs // in_flight)
        began = time.process_time()
        await asyncio.gather(*(worker(each) for _ in range(in_flight)))
        return (time.process_time() - began) / (each * in_flight * STEPS) * 1e6
