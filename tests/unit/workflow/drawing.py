"""Small workflows written as edges, and a player that runs them with a chosen order of completions."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from meshflow_grpc.domain.workflow import Edge, JoinRule, Node, Workflow
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.graph import build_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.workflow.frontier import NodeActivation, NodeRun, Progress, Transition


def draw(*edges: Edge | str, entry: str = "", joins: Mapping[str, JoinRule] | None = None) -> Workflow:
    """Builds a workflow from edges; ``"a -> b -> c"`` is a chain. The first node starts unless ``entry`` says otherwise."""
    drawn: list[Edge] = []
    for edge in edges:
        if isinstance(edge, Edge):
            drawn.append(edge)
            continue
        names = [name.strip() for name in edge.split("->")]
        drawn.extend(Edge(source, target) for source, target in pairwise(names))
    ids = dict.fromkeys(end for edge in drawn for end in (edge.source, edge.target) if not end.startswith("__"))
    nodes = tuple(Node(node_id, join=(joins or {}).get(node_id, JoinRule.ALL)) for node_id in ids)
    return Workflow("drawn", nodes, tuple(drawn), entry=entry or nodes[0].id)


@dataclass
class Player:
    """Runs a workflow: ``truth`` answers conditional edges, ``pick`` chooses which ready activation completes next."""

    workflow: Workflow
    truth: Callable[[NodeRun, str], bool] = lambda run, target: True
    pick: Callable[[tuple[NodeActivation, ...]], NodeActivation] = lambda ready: ready[0]
    log: list[str] = field(default_factory=list)
    inputs: dict[NodeRun, tuple[NodeRun, ...]] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = frontier.start(build_graph(self.workflow))

    def complete(self, node_id: str) -> Transition:
        """Completes the ready activation of a node."""
        activation = next(item for item in frontier.ready(self.progress) if item.node_id == node_id)
        self.log.append(node_id)
        self.inputs[activation.run] = activation.inputs
        targets = self.progress.graph.conditional_targets(node_id)
        truths = {target: self.truth(activation.run, target) for target in targets}
        self.transitions.append(frontier.complete(self.progress, activation.run, truths))
        return self.transitions[-1]

    def play(self, limit: int = 100_000) -> list[str]:
        """Runs to the end and returns the node ids in the order they completed."""
        while not frontier.finished(self.progress):
            assert len(self.log) < limit, "the run does not end"
            self.complete(self.pick(frontier.ready(self.progress)).node_id)
        return self.log

    def ready(self) -> list[str]:
        """Ids of the nodes that may run now."""
        return [activation.node_id for activation in frontier.ready(self.progress)]

    def results(self) -> list[str]:
        """Ids of the nodes the output is made of."""
        return [run.node_id for run in frontier.results(self.progress)]

    def skipped(self) -> list[str]:
        """Ids of the nodes eliminated so far."""
        return [node_id for transition in self.transitions for node_id in transition.skipped]
