"""What one run has done so far in its graph: explicit state, and the values that describe its changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import Edge
    from meshflow_grpc.workflow.graph import Graph


# What a named tuple's own constructor does, in a third of its time: a step makes several.
new = tuple.__new__


class NodeRun(NamedTuple):
    """One execution of a node in a run, unique in it. ``iteration`` counts the node's activations from 1."""

    node_id: str
    iteration: int


class NodeActivation(NamedTuple):
    """A node that may run now. ``inputs`` are the runs that feed it, in edge order; a loop's source comes last."""

    node_id: str
    iteration: int
    inputs: tuple[NodeRun, ...] = ()

    @property
    def run(self) -> NodeRun:
        """The key under which the outcome is reported."""
        return new(NodeRun, self[:2])


@dataclass(frozen=True, slots=True)
class LoopIteration:
    """A bounded back edge and how often it was taken in this run."""

    edge: Edge
    iteration: int
    max_iterations: int


class Transition(NamedTuple):
    """What one outcome changed.

    ``skipped`` nodes lie on dead paths. ``superseded`` runs are in flight but a loop made them obsolete; ``stale`` says
    that the outcome itself was of such a run and changed nothing. ``exhausted`` loops had a true condition but no
    iteration left.
    """

    activated: tuple[NodeActivation, ...] = ()
    skipped: tuple[str, ...] = ()
    loop: LoopIteration | None = None
    exhausted: tuple[LoopIteration, ...] = ()
    superseded: tuple[NodeRun, ...] = ()
    stale: bool = False


# What an edge brings to its target in the present round. Plain numbers, since each step counts several of them.
Token = int
NONE: Final[Token] = 0
LIVE: Final[Token] = 1
DEAD: Final[Token] = 2
FAILED: Final[Token] = 3


@dataclass(slots=True)
class Progress:
    """The state of one run. It has one owner, who changes it through the functions of ``frontier`` alone."""

    graph: Graph
    outstanding: dict[NodeRun, NodeActivation] = field(default_factory=dict)
    obsolete: set[NodeRun] = field(default_factory=set)
    resolved: bytearray = field(default_factory=bytearray)
    iterations: list[int] = field(default_factory=list)
    tokens: bytearray = field(default_factory=bytearray)
    arrived: list[list[int]] = field(default_factory=list)
    held: dict[int, Token] = field(default_factory=dict)
    loop_over: bytearray = field(default_factory=bytearray)
    loop_counts: list[int] = field(default_factory=list)
    final: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, graph: Graph) -> Progress:
        """Returns the state before anything happened."""
        count = len(graph.nodes)
        return cls(
            graph=graph,
            resolved=bytearray(count),
            iterations=[0] * count,
            tokens=bytearray(len(graph.edges)),
            arrived=[[0, 0, 0, 0] for _ in range(count)],
            loop_over=bytearray(len(graph.loops)),
            loop_counts=[0] * len(graph.loops),
        )
