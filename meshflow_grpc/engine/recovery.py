"""A run's progress read back from its ledger: resume is a replay without side effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.ledger_entry import OUTCOME_KINDS, EntryKind
from meshflow_grpc.engine.approvals import granted_of, pending_of
from meshflow_grpc.engine.events import output_text
from meshflow_grpc.engine.fork import inherited_of
from meshflow_grpc.engine.reservations import usage_in
from meshflow_grpc.engine.run_progress import RunProgress, settle
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.frontier import NodeRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.workflow.compiled import CompiledWorkflow

# A step that was refused, cancelled or put off does not count against max_steps.
_NO_STEP = frozenset({EntryKind.STEP_DENIED, EntryKind.STEP_CANCELLED, EntryKind.STEP_PAUSED})


def replay(workflow: CompiledWorkflow, entries: Sequence[LedgerEntry]) -> RunProgress:
    """Rebuilds progress from all entries of a run. Raises ValueError when a committed output is not readable any more."""
    progress = RunProgress(frontier.start(workflow.graph))
    for step in inherited_of(entries[0]):
        _replay_inherited(workflow, progress, step)
    for entry in entries:
        progress.history.take(entry)
        progress.usage += progress.reserved.take(entry)
        if entry.kind is EntryKind.RUN_RESUMED:
            progress.epoch += 1
        elif entry.kind in OUTCOME_KINDS:
            progress.usage += usage_of(entry)
            progress.steps = max(progress.steps, cast("int", entry.facts["step"]))
            if entry.kind is EntryKind.STEP_COMMITTED and "parent" not in entry.facts:
                _replay_commit(workflow, progress, entry)
            elif entry.kind is EntryKind.STEP_PAUSED:
                run = NodeRun(entry.node_id, cast("int", entry.facts["iteration"]))
                progress.waiting[run] = pending_of(entry)
        elif entry.kind is EntryKind.GATE_DECIDED:
            _replay_decision(progress, entry)
    return progress


def _replay_commit(workflow: CompiledWorkflow, progress: RunProgress, entry: LedgerEntry) -> None:
    output = output_text(entry.output)
    if output is None:
        message = f"the output of step {entry.step_id!r} is not readable any more"
        raise ValueError(message)
    labels = frozenset(cast("Sequence[str]", entry.facts["labels"]))
    settle(workflow, progress, NodeRun(entry.node_id, cast("int", entry.facts["iteration"])), output, labels)


def _replay_inherited(workflow: CompiledWorkflow, progress: RunProgress, step: Mapping[str, JsonValue]) -> None:
    """A step of the parent counts in the graph, not in what this run has spent."""
    output = step["output"]
    if not isinstance(output, str):
        message = f"the inherited output of node {step['node_id']!r} is not readable any more"
        raise ValueError(message)
    progress.steps = max(progress.steps, cast("int", step["step"]))
    run = NodeRun(cast("str", step["node_id"]), cast("int", step["iteration"]))
    settle(workflow, progress, run, output, frozenset(cast("Sequence[str]", step["labels"])))


def _replay_decision(progress: RunProgress, entry: LedgerEntry) -> None:
    granted = granted_of(entry)
    for run, pending in list(progress.waiting.items()):
        if granted is not None and pending.approval_id == granted.approval_id:
            del progress.waiting[run]
            progress.granted[run] = granted


def usage_of(entry: LedgerEntry) -> Usage:
    """What a step's entry says it used."""
    return usage_in(entry.facts, steps=0 if entry.kind in _NO_STEP else 1)
