"""Whether a workflow can run: shapes, names, edges, entry, reachability, loops, joins and conditions."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.errors import FieldViolation, InvalidWorkflowError
from meshflow_grpc.domain.mesh import concern_problem, slug_problem
from meshflow_grpc.domain.workflow import END, START, JoinRule, NodeKind
from meshflow_grpc.json_schema import schema_problem
from meshflow_grpc.workflow.condition import ConditionSyntaxError, compile_condition
from meshflow_grpc.workflow.document import from_document, to_document
from meshflow_grpc.workflow.graph import GraphStructureError, build_graph
from meshflow_grpc.workflow.policy_check import policy_problems
from meshflow_grpc.workflow.problem import Problem, did_you_mean, dotted
from meshflow_grpc.workflow.reachability import unbounded_cycles, unreachable_nodes
from meshflow_grpc.workflow.schema import MAX_LOOPS, NODE_FIELDS, any_node_schema, document_schema, node_schema
from meshflow_grpc.workflow.shape import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshflow_grpc.domain.workflow import Edge, Node, Workflow

MAX_PROBLEMS = 100
_SPELLINGS = frozenset({"START", "END"})
_RESERVED = _SPELLINGS | {START, END}


def validate(workflow: Workflow) -> None:
    """Raises InvalidWorkflowError with one violation per problem, its field a path like ``edges[2].condition``."""
    problems = [*_object_problems(workflow), *document_problems(to_document(workflow))]
    if problems:
        raise InvalidWorkflowError.of(*(FieldViolation(dotted(item.path), item.message) for item in problems))


def document_problems(document: object) -> list[Problem]:
    """Returns the problems of a plain document, at most 2 * MAX_PROBLEMS; its good parts are checked beside bad ones."""
    shape = list(islice(_shape_problems(document), MAX_PROBLEMS))
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), dict):
        return shape
    edges = document.get("edges", [])
    bad = {problem.path[:2] for problem in shape}
    kept = [position for position in range(len(edges)) if ("edges", position) not in bad] if _is_list(edges) else []
    readable = from_document(
        {
            **{key: document[key] for key in ("name", "entry") if isinstance(document.get(key), str)},
            "nodes": {
                node_id: {} if ("nodes", node_id) in bad else fields
                for node_id, fields in document["nodes"].items()
                if isinstance(node_id, str)
            },
            "edges": [edges[position] for position in kept],
        }
    )
    complete = _is_list(edges) and len(kept) == len(edges) and isinstance(document.get("entry", ""), str)
    found = _workflow_problems(readable) if complete else _local_problems(readable)
    return [*shape, *(_at_original(problem, kept) for problem in islice(found, MAX_PROBLEMS))]


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _at_original(problem: Problem, kept: list[int]) -> Problem:
    if len(problem.path) > 1 and problem.path[0] == "edges" and isinstance(problem.path[1], int):
        return Problem(("edges", kept[problem.path[1]], *problem.path[2:]), problem.message)
    return problem


def _object_problems(workflow: Workflow) -> Iterator[Problem]:
    """What a document cannot express: two nodes of one id, configuration under the name of a field."""
    seen: set[str] = set()
    for node in workflow.nodes:
        if node.id in seen:
            yield Problem(("nodes", node.id), "a node with this id exists already")
        seen.add(node.id)
        for key in sorted(NODE_FIELDS.keys() & node.config.keys()):
            yield Problem(("nodes", node.id, "config", key), f"{key!r} is a field of the node, not of its config")
    for position, edge in enumerate(workflow.edges):
        if _SPELLINGS & {edge.source, edge.target}:
            yield Problem(("edges", position), "use the constants START and END, not their names as text")


def _shape_problems(document: object) -> Iterator[Problem]:
    """Types, values, unknown and missing keys, per node kind."""
    shape = list(islice(check(document, document_schema()), MAX_PROBLEMS))
    yield from shape
    if isinstance(document, dict) and isinstance(document.get("policy"), dict):
        yield from policy_problems(document["policy"], {problem.path for problem in shape})
    nodes = document.get("nodes") if isinstance(document, dict) else None
    for node_id, fields in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node_id, str):
            if node_id in _RESERVED:
                yield Problem(("nodes", node_id), f"{node_id!r} is reserved", at_key=True)
            yield from _node_problems(node_id, fields)


def _node_problems(node_id: str, fields: object) -> Iterator[Problem]:
    kind: Any = fields.get("kind", NodeKind.AGENT) if isinstance(fields, dict) else NodeKind.AGENT
    known = isinstance(kind, str) and kind in set(NodeKind)
    yield from check(fields, node_schema(NodeKind(kind)) if known else any_node_schema(), ("nodes", node_id))


def _workflow_problems(workflow: Workflow) -> Iterator[Problem]:
    ids = {node.id for node in workflow.nodes}
    structural = list(islice(chain(_entry_problems(workflow, ids), _edge_problems(workflow, ids)), MAX_PROBLEMS))
    yield from structural
    yield from _condition_problems(workflow)
    yield from _output_problems(workflow)
    yield from _join_problems(workflow)
    yield from _subgraph_problems(workflow)
    yield from _peer_problems(workflow)
    if not structural:
        yield from _graph_problems(workflow)


def _local_problems(workflow: Workflow) -> Iterator[Problem]:
    """The problems that each edge has by itself: what is left to say when some edges could not be read."""
    yield from _edge_problems(workflow, {node.id for node in workflow.nodes})
    yield from _condition_problems(workflow)


def _edge_problems(workflow: Workflow, ids: set[str]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for position, edge in enumerate(workflow.edges):
        path = ("edges", position)
        if edge.source not in ids and edge.source != START:
            yield Problem((*path, "from"), _unknown_node(edge.source, ids, START))
        if edge.target not in ids and edge.target != END:
            yield Problem((*path, "to"), _unknown_node(edge.target, ids, END))
        yield from _edge_rules(edge, path)
        first = seen.setdefault((edge.source, edge.target), position)
        if first != position:
            yield Problem(path, "repeats an edge; join the two conditions with || in one")


def _unknown_node(name: str, ids: set[str], pseudo: str) -> str:
    """``pseudo`` is the one of START and END that may stand here."""
    if name in (START, END):
        return "END has no outgoing edge" if name == END else "START has no incoming edge"
    return f"there is no node {name!r}{did_you_mean(name, [*ids, 'START' if pseudo == START else 'END'])}"


def _edge_rules(edge: Edge, path: tuple[str, int]) -> Iterator[Problem]:
    if edge.source == START:
        if edge.condition or edge.max_iterations is not None:
            yield Problem(
                path, "an edge from START takes neither condition nor max_iterations; branch after a first node"
            )
        if edge.target == END:
            yield Problem(path, "START -> END runs nothing")
    elif edge.max_iterations is not None:
        if not edge.condition:
            yield Problem(path, "an edge with max_iterations needs a condition that says when to go round again")
        if edge.target == END:
            yield Problem((*path, "max_iterations"), "an edge to END closes no cycle")
    elif edge.source == edge.target:
        yield Problem(path, "a node that follows itself needs a condition and max_iterations")


def _entry_problems(workflow: Workflow, ids: set[str]) -> Iterator[Problem]:
    loops = sum(edge.max_iterations is not None for edge in workflow.edges)
    if loops > MAX_LOOPS:
        yield Problem(("edges",), f"has {loops} edges with max_iterations, at most {MAX_LOOPS} are allowed")
    starts = [position for position, edge in enumerate(workflow.edges) if edge.source == START]
    if workflow.entry and workflow.entry not in ids:
        yield Problem(("entry",), f"there is no node {workflow.entry!r}{did_you_mean(workflow.entry, ids)}")
    if workflow.entry and starts:
        yield Problem(
            ("edges", starts[0]),
            f"the workflow has the entry {workflow.entry!r} already; give entry or edges from START",
        )
    if not workflow.entry and not starts:
        yield Problem((), "needs 'entry', the id of the node that starts, or an edge from START")


def _condition_problems(workflow: Workflow) -> Iterator[Problem]:
    schemas: Mapping[str, Any] = {node.id: node.output_schema for node in workflow.nodes}
    for position, edge in enumerate(workflow.edges):
        if edge.condition:
            try:
                compile_condition(edge.condition, schemas.get(edge.source))
            except ConditionSyntaxError as error:
                yield Problem(("edges", position, "condition"), f"{edge.condition!r}: {error}")


def _output_problems(workflow: Workflow) -> Iterator[Problem]:
    for node in workflow.nodes:
        found = schema_problem(node.output_schema) if node.output_schema is not None else None
        if found is not None:
            place, message = found
            yield Problem(("nodes", node.id, "output_schema", *place), message)


def _join_problems(workflow: Workflow) -> Iterator[Problem]:
    arriving: dict[str, int] = {}
    for edge in workflow.edges:
        if edge.max_iterations is None:
            arriving[edge.target] = arriving.get(edge.target, 0) + 1
    for node in workflow.nodes:
        if node.join is not JoinRule.ALL and arriving.get(node.id, 0) < 2:
            yield Problem(
                ("nodes", node.id, "join"),
                f"{node.join.value!r} needs at least two incoming edges (back edges do not count)",
            )


def _subgraph_problems(workflow: Workflow) -> Iterator[Problem]:
    for node in workflow.nodes:
        if node.kind is NodeKind.SUBGRAPH and node.config.get("workflow") == workflow.name:
            yield Problem(("nodes", node.id, "workflow"), "a workflow cannot contain itself")


def _peer_problems(workflow: Workflow) -> Iterator[Problem]:
    for node in workflow.nodes:
        if node.kind is NodeKind.GRPC:
            yield from _names_of_peers(node)


def _names_of_peers(node: Node) -> Iterator[Problem]:
    path, config = ("nodes", node.id), node.config
    peer, concern = config.get("peer"), config.get("concern")
    if isinstance(peer, str) and (problem := slug_problem(peer)) is not None:
        yield Problem((*path, "peer"), problem)
    if isinstance(concern, str) and (problem := concern_problem(concern)) is not None:
        yield Problem((*path, "concern"), problem)
    seen = {peer}
    for place, slug in enumerate(cast("Sequence[str]", config.get("failover") or ())):
        problem = slug_problem(slug) or (f"names {slug!r} a second time" if slug in seen else None)
        seen.add(slug)
        if problem is not None:
            yield Problem((*path, "failover", place), problem)


def _graph_problems(workflow: Workflow) -> Iterator[Problem]:
    cycles = unbounded_cycles(workflow)
    for cycle in cycles:
        way = " -> ".join([*(workflow.edges[edge].source for edge in cycle), workflow.edges[cycle[0]].source])
        yield Problem(
            ("edges", cycle[-1]),
            f"closes the cycle {way}, which has no bound; give one of its edges a condition and max_iterations",
        )
    for node_id in unreachable_nodes(workflow):
        yield Problem(
            ("nodes", node_id), "cannot be reached from the entry by edges without max_iterations", at_key=True
        )
    if cycles:
        return
    try:
        build_graph(workflow)
    except GraphStructureError as error:
        yield Problem(("edges", error.edge), str(error))
