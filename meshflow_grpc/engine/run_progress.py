"""Where a run stands in its graph, and what a committed output changes there; live and in replay the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.domain.json_value import json_string
from meshflow_grpc.domain.run import RunOutcome, RunStatus
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.engine.call_history import CallHistory
from meshflow_grpc.engine.reservations import OpenReservations
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.condition import ConditionError, condition_variables

if TYPE_CHECKING:
    from meshflow_grpc.domain.approval import GrantedApproval
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import PendingApproval
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.workflow.compiled import CompiledWorkflow
    from meshflow_grpc.workflow.frontier import NodeRun, Progress


# How the payload of a committed step's entry begins.
_OUTPUT = '{"output":'


@dataclass(slots=True)
class RunProgress:
    """Outputs and labels by node run; ``usage`` is that of the lives of the run before this one."""

    graph: Progress
    outputs: dict[NodeRun, str] = field(default_factory=dict)
    labels: dict[NodeRun, frozenset[str]] = field(default_factory=dict)
    usage: Usage = ZERO_USAGE
    reserved: OpenReservations = field(default_factory=OpenReservations)
    steps: int = 0
    epoch: int = 1
    last_output: str = ""
    waiting: dict[NodeRun, PendingApproval] = field(default_factory=dict)
    granted: dict[NodeRun, GrantedApproval] = field(default_factory=dict)
    history: CallHistory = field(default_factory=CallHistory)

    newest: dict[str, NodeRun] = field(default_factory=dict)
    _written: dict[NodeRun, str] = field(default_factory=dict)

    def written(self, run: NodeRun) -> str:
        """An output as JSON, encoded once however many nodes it feeds."""
        text = self._written.get(run)
        if text is None:
            text = self._written[run] = json_string(self.outputs[run])
        return text

    def committed(self, run: NodeRun, payload: str | None) -> None:
        """Keeps the JSON of an output out of the payload of its entry, where it stands already."""
        if payload is not None and payload.startswith(_OUTPUT):
            self._written[run] = payload[len(_OUTPUT) : -1]

    def latest(self, node_id: str) -> NodeRun | None:
        """The last committed run of a node."""
        return self.newest.get(node_id)


class RunEnded(Exception):  # noqa: N818 - control flow of the engine, not an error
    """The run ends now with this outcome."""

    def __init__(self, outcome: RunOutcome) -> None:
        super().__init__(outcome.status.value)
        self.outcome = outcome


def settle(
    workflow: CompiledWorkflow, progress: RunProgress, run: NodeRun, output: str, labels: frozenset[str]
) -> frontier.Transition:
    """Takes a committed output into the graph; raises RunEnded when a condition on an edge cannot be evaluated."""
    progress.outputs[run] = progress.last_output = output
    progress.labels[run] = labels
    progress.newest[run.node_id] = run
    if not workflow.graph.conditional_targets(run.node_id):
        return frontier.complete(progress.graph, run)
    variables = condition_variables(state={}, output=output, structured=_structured(output), iteration=run.iteration)
    try:
        truths = workflow.conditions.evaluate(run.node_id, variables)
    except ConditionError as error:
        raise RunEnded(RunOutcome(RunStatus.FAILED, progress.last_output, None, str(error))) from error
    transition = frontier.complete(progress.graph, run, truths)
    # A step that waits for a human in a loop's body is void once the loop goes round.
    for superseded in transition.superseded:
        progress.waiting.pop(superseded, None)
    return transition


def _structured(output: str) -> dict[str, JsonValue] | None:
    """The output as a JSON object, for conditions over its keys; None when it is text."""
    if not output.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(output)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
