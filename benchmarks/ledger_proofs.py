"""What proofs and offline verification cost: ``python benchmarks/ledger_proofs.py [--leaves N] [--runs N] [--steps N]``.

Prints CPU or wall times: integration per entry, proofs in a log of N leaves, and entries per second of the offline verifier
over a bundle of real records with two payloads each.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from meshflow_grpc.audit import verify_bundle
from meshflow_grpc.ledger.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from tests.unit.audit.bundles import TRUST, bundle, sample_log

if TYPE_CHECKING:
    from collections.abc import Callable

PROBES = 5000
BATCH = 256


def main() -> None:
    """Runs both measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    measure_proofs(given.leaves)
    measure_audit(given.runs, given.steps)


def measure_proofs(leaves: int) -> None:
    """Builds a log in memory and proves random entries and older sizes of it."""
    edge, rows = CompactRange(), dict[tuple[int, int], bytes]()
    record = b"x" * 700
    start = time.process_time()
    for first in range(0, leaves, BATCH):
        numbers = range(first, min(first + BATCH, leaves))
        rows.update({(level, idx): value for level, idx, value in edge.append([record + b"%d" % n for n in numbers])})
    print(f"integrate          {(time.process_time() - start) / leaves * 1e6:8.2f} us CPU per entry ({leaves} entries)")
    size = leaves - 1

    def read(level: int, idx: int) -> bytes:
        return rows[level, idx]

    places = random.Random(1).choices(range(1, size), k=PROBES)
    root, index = root_of(size, read), places[0]
    proof, old_root = inclusion_proof(index, size, read), root_of(index, read)
    growth, leaf = consistency_proof(index, size, read), leaf_hash(record + b"%d" % index)
    timed("inclusion proof", lambda place: inclusion_proof(place, size, read), places)
    timed("consistency proof", lambda place: consistency_proof(place, size, read), places)
    timed("verify inclusion", lambda _: verify_inclusion(leaf, index, size, proof, root), places)
    timed("verify consistency", lambda _: verify_consistency(index, size, growth, old_root, root), places)


def timed(what: str, call: Callable[[int], object], places: list[int]) -> None:
    """Prints the median, the 99th percentile and the slowest call."""
    times = []
    for place in places:
        start = time.perf_counter()
        call(place)
        times.append((time.perf_counter() - start) * 1e6)
    times.sort()
    middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{what:18} {middle:8.1f} us median, {late:.1f} us p99, {times[-1]:.1f} us slowest")


def measure_audit(runs: int, steps: int) -> None:
    """Verifies a bundle of some runs and one of the whole log."""
    log = sample_log(runs, steps)
    with tempfile.TemporaryDirectory() as folder:
        for whole in (False, True):
            file = Path(folder) / "bundle.tar"
            file.write_bytes(bundle(log.evidence(heads=[len(log.entries) // 2], whole=whole)))
            start = time.process_time()
            report = verify_bundle(file, TRUST)
            taken = time.process_time() - start
            assert report.ok, report.findings[:3]
            entries = report.counts["entries"]
            what = "whole log" if whole else f"{runs} runs"
            size = file.stat().st_size / 1e6
            print(
                f"audit {what:12} {entries / taken:8.0f} entries per second of CPU ({entries} entries, {size:.0f} MB)"
            )


if __name__ == "__main__":
    main()
