"""The end of a run that completes with its last step: recorded with it, in one append."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from meshflow_grpc.domain.run import RunOutcome, RunStatus
from meshflow_grpc.engine.run_record import finished_draft
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.frontier import NodeRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Principal, Run
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.engine.run_progress import RunProgress
    from meshflow_grpc.ports.clock import Clock


class RunClosing:
    """Ends one run with whichever step turns out to be the last. ``entry`` is the one that ended it."""

    def __init__(self, run: Run, principal: Principal, progress: RunProgress, clock: Clock) -> None:
        self._run, self._principal, self._progress, self._clock = run, principal, progress, clock
        self.entry: LedgerEntry | None = None

    def change(
        self, node_run: NodeRun, output: str, spent: Usage, begin: Callable[[], bool]
    ) -> tuple[EntryDraft, RunChange] | None:
        """See Closing.change, for the step of a node's run; ``begin`` as in LastStep."""
        ends = frontier.ending(self._progress.graph, node_run)
        if ends is None or not begin():
            return None
        outcome = completed(ends, {**self._progress.outputs, node_run: output}, output)
        return ending(self._run, outcome, spent, self._clock.now(), self._principal)


class LastStep(NamedTuple):
    """Implements kernel.state.Closing for one step, which may or may not turn out to be the last.

    ``begin`` is asked when the run is about to end, and says whether it may: not when it was told to end otherwise.
    """

    closing: RunClosing
    node_run: NodeRun
    begin: Callable[[], bool]

    def change(self, output: str, spent: Usage) -> tuple[EntryDraft, RunChange] | None:
        """See Closing."""
        return self.closing.change(self.node_run, output, spent, self.begin)

    def recorded(self, entry: LedgerEntry) -> None:
        """See Closing."""
        self.closing.entry = entry


def completed(ends: Sequence[NodeRun], outputs: Mapping[NodeRun, str], last_output: str) -> RunOutcome:
    """How a run ended whose nodes all have their outcome; ``ends`` are those that make up its output."""
    if len(ends) == 1:
        return RunOutcome(RunStatus.COMPLETED, outputs[ends[0]])
    document = {run.node_id: outputs[run] for run in ends}
    return RunOutcome(RunStatus.COMPLETED, json.dumps(document, ensure_ascii=False) if document else last_output)


def ending(run: Run, outcome: RunOutcome, usage: Usage, now: str, principal: Principal) -> tuple[EntryDraft, RunChange]:
    """The entry that ends a run, and what it changes in the run's row."""
    change = RunChange(None, outcome.status, outcome.output, outcome.blocked_by, outcome.reason)
    return finished_draft(run, outcome, usage, now, principal), change
