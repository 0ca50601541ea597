"""How two runs differ, node by node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.usage import usd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run

STEP_ENDS = frozenset(
    {
        EntryKind.STEP_COMMITTED,
        EntryKind.STEP_DENIED,
        EntryKind.STEP_PAUSED,
        EntryKind.STEP_FAILED,
        EntryKind.STEP_CANCELLED,
    }
)


@dataclass(frozen=True, slots=True)
class RunDiff:
    """What differs from run A to run B. Node ids are sorted; a node that ran often is compared by its last step.

    ``changed`` has, for each common node with another verdict or output: ``node_id``, ``verdict_a``, ``verdict_b``, ``output_a`` and
    ``output_b``. An erased output is None, and equal to no output that is there.
    """

    only_in_a: list[str]
    only_in_b: list[str]
    common: list[str]
    changed: list[dict[str, Any]]
    cost_delta_usd: float
    token_delta: int


def diff_runs(run_a: Run, entries_a: Iterable[LedgerEntry], run_b: Run, entries_b: Iterable[LedgerEntry]) -> RunDiff:
    """Compares two runs; the deltas are B minus A."""
    last_a, last_b = _last_steps(entries_a), _last_steps(entries_b)
    common = sorted(last_a.keys() & last_b.keys())
    return RunDiff(
        sorted(last_a.keys() - last_b.keys()),
        sorted(last_b.keys() - last_a.keys()),
        common,
        [_change(last_a[node], last_b[node]) for node in common if _told(last_a[node]) != _told(last_b[node])],
        usd(run_b.usage.cost_nano_usd - run_a.usage.cost_nano_usd),
        run_b.usage.tokens - run_a.usage.tokens,
    )


def _last_steps(entries: Iterable[LedgerEntry]) -> dict[str, LedgerEntry]:
    return {entry.node_id: entry for entry in entries if entry.kind in STEP_ENDS}


def _told(entry: LedgerEntry) -> tuple[str, str | None]:
    return verdict(entry), _output(entry)


def _output(entry: LedgerEntry) -> str | None:
    return entry.output if entry.kind is EntryKind.STEP_COMMITTED else None


def verdict(entry: LedgerEntry) -> str:
    """Returns how a step ended: committed, denied, paused, failed or cancelled."""
    return entry.kind.value.removeprefix("step_")


def _change(a: LedgerEntry, b: LedgerEntry) -> dict[str, Any]:
    return {
        "node_id": a.node_id,
        "verdict_a": verdict(a),
        "verdict_b": verdict(b),
        "output_a": _output(a),
        "output_b": _output(b),
    }
