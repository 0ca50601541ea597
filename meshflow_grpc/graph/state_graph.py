"""StateGraph: functions on a typed state, compiled to the one workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, overload

from meshflow_grpc.domain.errors import FieldViolation, InvalidWorkflowError
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import END, START, Edge, Node, NodeKind, Workflow
from meshflow_grpc.governance.policy_document import policy_document
from meshflow_grpc.graph.back_edges import back_edges
from meshflow_grpc.graph.compiled_graph import CompiledStateGraph
from meshflow_grpc.graph.graph_run import GraphPlan
from meshflow_grpc.graph.routes import Branch, Route, Targets
from meshflow_grpc.graph.state import StateType
from meshflow_grpc.tools.registry import tier_of
from meshflow_grpc.workflow.schema import MAX_LOOP_ITERATIONS
from meshflow_grpc.workflow.yaml_codec import dump_workflow, load_workflow

if TYPE_CHECKING:
    from meshflow_grpc.governance.policy_document import AnyPolicy

NodeFunction: TypeAlias = Callable[[Any], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]
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


class StateGraph:
    """A graph in the making. A node takes the state and returns an update of it; adding returns the graph itself."""

    def __init__(self, schema: type, *, name: str = "state_graph") -> None:
        self._name = name
        self._state = StateType(schema)
        self._functions: dict[str, NodeFunction] = {}
        self._edges: dict[tuple[str, str], str] = {}
        self._branches: dict[str, Branch] = {}

    def add_node(self, name: str | NodeFunction, function: NodeFunction | None = None) -> Self:
        """Adds a node, or a function as the node of its name; raises ValueError for a name that is taken, and TypeError."""
        if callable(name) and function is None:
            return self.add_node(str(getattr(name, "__name__", "")), name)
        if not isinstance(name, str):
            raise TypeError(f"add_node() takes a name and a function of the state, not {type(name).__name__}")
        if name in self._functions or name in (START, END):
            raise ValueError(f"the name {name!r} is taken")
        if not callable(function):
            raise TypeError(f"node {name!r} must be a function of the state, not {type(function).__name__}")
        self._functions[name] = function
        return self

    def add_edge(self, source: str | Sequence[str], target: str) -> Self:
        """Adds an edge that is always taken; of several sources one each, and the target waits for all that are run."""
        given: object = [source] if isinstance(source, str) else source
        if not isinstance(given, Sequence):
            raise TypeError(f"an edge comes from a node or a list of nodes, not {source!r}")
        sources = list(given)
        if not sources:
            raise ValueError(f"the edge to {target!r} needs a source")
        for each in sources:
            self._edge(each, target, "")
        return self

    def add_conditional_edges(self, source: str, route: Route, targets: Targets | None = None) -> Self:
        """Adds edges that ``route``, called with the state after ``source``, chooses from by its answer: one, or several.

        ``targets`` are nodes, or answers and the nodes they mean. Without them an answer is the name of a node, or END: of
        those the router is annotated with (``-> Literal["a", "b"]``), else of any.
        """
        if source in self._branches:
            raise ValueError(f"node {source!r} has a router already")
        branch = Branch.of(source, route, targets)
        for target in dict.fromkeys((branch.targets or {}).values()):
            self._edge(source, target, _chosen(target))
        self._branches[source] = branch
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
        routes, conditions = self._resolved()
        starts = [target for source, target in conditions if source == START]
        loops = back_edges(starts, conditions)
        edges = tuple(
            Edge(source, target, condition or "true", recursion_limit)
            if (source, target) in loops
            else Edge(source, target, condition)
            for (source, target), condition in conditions.items()
        )
        nodes = tuple(
            Node(name, NodeKind.PYTHON, risk=getattr(function, _RISK, RiskTier.INTERNAL), config={"ref": name})
            for name, function in self._functions.items()
        )
        made = Workflow(self._name, nodes, edges, policy=policy_document(policy))
        workflow = self._checked(made)
        plan = GraphPlan(workflow, self._state, dict(self._functions), routes, loops, recursion_limit)
        return CompiledStateGraph(plan, ledger)

    def _resolved(self) -> tuple[dict[str, tuple[Route, Mapping[Any, str]]], dict[tuple[str, str], str]]:
        """The routers with all they may answer, and the edges with those that open routers add."""
        routes: dict[str, tuple[Route, Mapping[Any, str]]] = {}
        conditions = dict(self._edges)
        for name, branch in self._branches.items():
            targets = branch.resolved(self._functions, {target for source, target in self._edges if source == name})
            routes[name] = (branch.route, targets)
            for target in targets.values():
                conditions.setdefault((name, target), _chosen(target))
        return routes, conditions

    def _checked(self, workflow: Workflow) -> Workflow:
        """As the engine will have it; raises InvalidWorkflowError, which says which routers may lead anywhere."""
        try:
            return load_workflow(dump_workflow(workflow), source=self._name)
        except InvalidWorkflowError as error:
            free = [repr(name) for name, branch in self._branches.items() if branch.targets is None]
            if not free or not any("edges[" in each.field for each in error.violations):
                raise
            hint = (
                f"may lead to every node; give targets, or annotate it with -> Literal[...] (here: {', '.join(free)})"
            )
            raise InvalidWorkflowError.of(*error.violations, FieldViolation("a router without targets", hint)) from None

    def _edge(self, source: str, target: str, condition: str) -> Self:
        if (source, target) in self._edges:
            raise ValueError(f"there are two edges from {source!r} to {target!r}")
        self._edges[source, target] = condition
        return self


def _chosen(target: str) -> str:
    """The condition of an edge that a router chooses."""
    return f'"{target}" in route'
