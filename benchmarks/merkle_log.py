"""Time of a proof in a log of many entries, and what integration costs per entry, on the SQLite store.

python -m benchmarks.merkle_log [--dir DIR] [--entries N]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from meshflow_grpc.commands.get_consistency_proof import prove_growth
from meshflow_grpc.commands.get_inclusion_proof import prove_entry
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from meshflow_grpc.ports.log import StoredHead
from meshflow_grpc.storage.sqlite.connection import open_writer, prepare_file
from meshflow_grpc.storage.sqlite.log import insert_nodes
from meshflow_grpc.storage.sqlite.migrate import migrate
from meshflow_grpc.storage.sqlite.storage import SqliteStorage

BATCH = 1024
PROOFS = 500
RECORD = b'{"facts":"' + b"x" * 850 + b'","n":%d}'


def build(path: Path, entries: int) -> tuple[CompactRange, float]:
    """Integrates leaves in batches as the store does; returns the tree and CPU microseconds per leaf."""
    prepare_file(path)
    connection = open_writer(path, 5.0)
    migrate(connection)
    tree, spent = CompactRange(), 0.0
    for start in range(0, entries, BATCH):
        records = [RECORD % number for number in range(start, min(start + BATCH, entries))]
        before = time.process_time()
        nodes = tree.append(records)
        connection.execute("BEGIN IMMEDIATE")
        insert_nodes(connection, nodes)
        connection.execute("COMMIT")
        spent += time.process_time() - before
    connection.close()
    return tree, spent / entries * 1e6


async def proofs(path: Path, size: int) -> tuple[list[float], list[float]]:
    """Milliseconds of inclusion and of consistency proofs at random places."""
    storage, chance = await SqliteStorage.open_read_only(path), random.Random(1)
    head = StoredHead(size, bytes(32), "", "")
    inclusion, consistency = [], []
    for _ in range(PROOFS):
        start = time.perf_counter()
        await prove_entry(storage, chance.randint(1, size), head)
        middle = time.perf_counter()
        await prove_growth(storage, chance.randint(1, size), size, size)
        inclusion.append((middle - start) * 1e3)
        consistency.append((time.perf_counter() - middle) * 1e3)
    await storage.close()
    return inclusion, consistency


def main() -> None:
    """Prints one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=None)
    parser.add_argument("--entries", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        path = Path(folder) / "ledger.db"
        tree, cost = build(path, options.entries)
        sys.stdout.write(f"integration: {cost:.1f} us CPU an entry, {tree.size:,} entries\n")
        for name, times in zip(("inclusion", "consistency"), asyncio.run(proofs(path, tree.size)), strict=True):
            p99 = statistics.quantiles(times, n=100)[98]
            sys.stdout.write(f"{name} proof: p50 {statistics.median(times):.2f} ms, p99 {p99:.2f} ms\n")


if __name__ == "__main__":
    main()
