"""Chains in memory, row by row, for verification to look at."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.batch import Append, CreateRun
from meshflow_grpc.storage.rows import entry_row
from meshflow_grpc.storage.sequencer import Sequencer
from tests.conformance.drafts import ENDED, STEP_USAGE, finished, new_run, started, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.storage.batch import Command


def salts() -> Callable[[], bytes]:
    """Returns a source of salts that are the same each time: 1, 2, 3 ... as 32 bytes."""
    numbers = count(1)
    return lambda: next(numbers).to_bytes(32, "big")


def chain(steps: int = 4, run_id: str = "run_1") -> tuple[list[EntryRow], RunRow]:
    """Returns the rows of a run that ended, and its own row."""
    sequencer = Sequencer(100, salts())
    commands: list[Command] = [CreateRun(new_run(run_id, request_id="r"), started(run_id), "fingerprint")]
    commands += [
        Append(run_id, (step(run_id, place),), RunChange(usage=STEP_USAGE, reason=f"step {place}"))
        for place in range(1, steps + 1)
    ]
    commands.append(Append(run_id, (finished(run_id),), ENDED))
    plan = sequencer.plan(commands, {}, {})
    changes = {name: value for name, value in plan.updates[run_id]._asdict().items() if value is not None}
    return [entry_row(entry) for entry in plan.entries], plan.runs[0]._replace(**changes)
