"""StateGraph: functions on a typed state, compiled to the one workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, overload

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import END, START, Edge, Node, NodeKind, Workflow
from meshflow_grpc.graph.back_edges import back_edges
from meshflow_grpc.graph.compiled_graph import CompiledStateGraph
from meshflow_grpc.graph.graph_run import GraphPlan
from meshflow_grpc.graph.policies import policy_document
from meshflow_grpc.graph.state import StateType
from meshflow_grpc.tools.registry import tier_of
from meshflow_grpc.workflow.schema import MAX_LOOP_ITERATIONS
from meshflow_grpc.workflow.yaml_codec import dump_workflow, load_workflow

if TYPE_CHECKING:
    from meshflow_grpc.graph.policies import AnyPolicy

NodeFunction: TypeAlias = Callable[[Any], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]
Route: TypeAlias = Callable[[Any], str | Sequence[str]]
F = TypeVar("F", bound=Callable[..., Any])
RECURSION_LIMIT = 25
_RISK = "__meshflow_risk__"


@overload
def node(function: F) -> F: ...
@overload
def node(*, risk: RiskTier | str = RiskTier.INTERNAL) -> Callable[[F], F]: ...
def node(function: F | None = None, *, risk: RiskTier | str = RiskTier.INTERNAL) -> F | Callable[[F], F]:
    """Marks a function as a node of a graph; ``risk`` is what it can do to the world. Raises ValueError for no tier of risk."""
    tier = tier_of(risk, "node" if function is None else function.__name__)

    def mark(target: F) -> F:
        setattr(target, _RISK, tier)
        return target

    return mark if function is None else mark(function)


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a router may lead: its answers and the nodes they mean."""

    route: Route
    targets: Mapping[str, str]


class StateGraph:
    """A graph in the making. A node takes the state and returns an update of it; adding returns the graph itself."""

    def __init__(self, schema: type, *, name: str = "state_graph") -> None:
        self._name = name
        self._state = StateType(schema)
        self._functions: dict[str, NodeFunction] = {}
        self._edges: dict[tuple[str, str], str] = {}
        self._branches: dict[str, Branch] = {}

    def add_node(self, name: str, function: NodeFunction) -> Self:
        """Adds a node; raises ValueError for a name that is taken, and TypeError for what cannot be called."""
        if name in self._functions or name in (START, END):
            raise ValueError(f"the name {name!r} is taken")
        if not callable(function):
            raise TypeError(f"node {name!r} must be a function of the state, not {type(function).__name__}")
        self._functions[name] = function
        return self

    def add_edge(self, source: str, target: str) -> Self:
        """Adds an edge that is always taken."""
        return self._edge(source, target, "")

    def add_conditional_edges(self, source: str, route: Route, targets: Mapping[str, str] | Sequence[str]) -> Self:
        """Adds edges that ``route``, called with the state after ``source``, chooses from by its answer: one, or several."""
        if source in self._branches:
            raise ValueError(f"node {source!r} has a router already")
        if not callable(route):
            raise TypeError(f"the router of {source!r} must be a function of the state, not {type(route).__name__}")
        named = dict(targets) if isinstance(targets, Mapping) else {target: target for target in targets}
        self._branches[source] = Branch(route, named)
        for target in dict.fromkeys(named.values()):
            self._edge(source, target, f'"{target}" in route')
        return self

    def set_entry_point(self, name: str) -> Self:
        """The node that starts; the same as an edge from START."""
        return self.add_edge(START, name)

    def set_finish_point(self, name: str) -> Self:
        """A node after which nothing comes; the same as an edge to END."""
        return self.add_edge(name, END)

    def compile(
        self,
        *,
        policy: AnyPolicy | None = None,
        ledger: str | None = None,
        recursion_limit: int = RECURSION_LIMIT,
    ) -> CompiledStateGraph:
        """Checks the graph; raises InvalidWorkflowError naming every problem.

        ``recursion_limit`` is how often a run may follow one edge that leads back, ``ledger`` where runs are recorded.
        """
        if not 1 <= recursion_limit <= MAX_LOOP_ITERATIONS:
            raise ValueError(f"recursion_limit must be 1 to {MAX_LOOP_ITERATIONS}, not {recursion_limit}")
        starts = [target for source, target in self._edges if source == START]
        loops = back_edges(starts, self._edges)
        edges = tuple(
            Edge(source, target, condition or "true", recursion_limit)
            if (source, target) in loops
            else Edge(source, target, condition)
            for (source, target), condition in self._edges.items()
        )
        nodes = tuple(
            Node(name, NodeKind.PYTHON, risk=getattr(function, _RISK, RiskTier.INTERNAL), config={"ref": name})
            for name, function in self._functions.items()
        )
        workflow = load_workflow(
            dump_workflow(Workflow(self._name, nodes, edges, policy=policy_document(policy))), source=self._name
        )
        routes = {name: (branch.route, branch.targets) for name, branch in self._branches.items()}
        plan = GraphPlan(workflow, self._state, dict(self._functions), routes, loops, recursion_limit)
        return CompiledStateGraph(plan, ledger)

    def _edge(self, source: str, target: str, condition: str) -> Self:
        if (source, target) in self._edges:
            raise ValueError(f"there are two edges from {source!r} to {target!r}")
        self._edges[source, target] = condition
        return self
