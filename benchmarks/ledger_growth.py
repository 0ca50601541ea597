"""Durable appends per second onto a SQLite ledger of a million rows beside an empty one, in turns.

    python -m benchmarks.ledger_growth [--rows N] [--runs N] [--seconds S] [--rounds N] [--dir DIR]

Rows are of typical size (2 kB with their payloads) and runs' ids ordered by time, as the server's are.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.ledger_append import INPUT, OUTPUT, SWITCH_INTERVAL_S, TIME, appends
from meshflow_grpc.domain.stored_row import EntryRow
from meshflow_grpc.storage.sqlite.connection import open_writer
from meshflow_grpc.storage.sqlite.migrate import migrate

ROWS_A_RUN = 10
ROWS_A_STATEMENT = 250


def fill(path: Path, rows: int) -> float:
    """Writes rows that came before; returns how many a second."""
    connection = open_writer(path, 5.0)
    migrate(connection)
    values = ", ".join([f"({', '.join('?' * len(EntryRow._fields))})"] * ROWS_A_STATEMENT)
    sql = f"INSERT INTO ledger_entries ({', '.join(EntryRow._fields)}) VALUES {values}"
    began = time.perf_counter()
    for first in range(1, rows + 1, ROWS_A_STATEMENT):
        parameters: list[object] = []
        for seq in range(first, first + ROWS_A_STATEMENT):
            run, step = f"run_00{seq // ROWS_A_RUN:08}", seq % ROWS_A_RUN
            parameters += (seq, run, "default", step, "step_committed", "writer", f"writer/{step}", 1, TIME)
            parameters += (INPUT, OUTPUT, "s" * 64, "s" * 64, "p" * 64, "h" * 64, b"r" * 850)
        connection.execute(sql, parameters)
    took = time.perf_counter() - began
    connection.close()
    return rows / took


def main() -> None:
    """Prints both rates, their ratio, and that of CPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path, default=None)
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    figures: dict[str, list[tuple[float, float]]] = {"empty": [], "full": []}
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        full = Path(folder) / "full"
        full.mkdir()
        rate = fill(full / "ledger.db", options.rows)
        sys.stdout.write(f"{options.rows:,} rows written at {rate:,.0f} a second\n")
        for number in range(options.rounds):
            for name in list(figures)[:: 1 if number % 2 else -1]:
                place = full if name == "full" else Path(folder) / f"empty-{number}"
                place.mkdir(exist_ok=True)
                figures[name].append(
                    uvloop.run(
                        appends(place, options.runs, options.seconds, busy=False, log=False, prefix=f"run_1{number}")
                    )
                )
                if name == "empty":
                    shutil.rmtree(place)
    (empty, cpu), (grown, grown_cpu) = (
        (statistics.median(each[0] for each in of), statistics.median(each[1] for each in of))
        for of in figures.values()
    )
    sys.stdout.write(f"empty {empty:,.0f} appends/s ({cpu:.1f} us CPU each), full {grown:,.0f} ({grown_cpu:.1f} us)\n")
    sys.stdout.write(f"full/empty {grown / empty:.2f} of the rate, {grown_cpu / cpu:.2f} of the CPU\n")


if __name__ == "__main__":
    main()
