"""WorkflowDefinition: builds, reads, writes and runs a workflow from Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from meshflow_grpc.domain.errors import FieldViolation, InvalidWorkflowError
from meshflow_grpc.domain.workflow import END, START, Edge, Node, Workflow
from meshflow_grpc.governance.policy_document import policy_document
from meshflow_grpc.graph.back_edges import back_edges
from meshflow_grpc.graph.local import LOCAL, local_runtime
from meshflow_grpc.graph.program_request import program_request
from meshflow_grpc.graph.result import WorkflowResult
from meshflow_grpc.workflow.document import from_document
from meshflow_grpc.workflow.problem import dotted
from meshflow_grpc.workflow.validation import document_problems
from meshflow_grpc.workflow.yaml_codec import dump_workflow, load_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.governance.policy_document import AnyPolicy
    from meshflow_grpc.tools.registry import Registry

MAX_ITERATIONS = 2


class WorkflowDefinition:
    """A workflow in the making. Adding returns the definition itself; nothing is checked before ``build``.

    ``max_iterations`` bounds every conditional edge that leads back and has no bound of its own.
    """

    def __init__(
        self,
        name: str = "workflow",
        *,
        version: str = "1",
        description: str = "",
        policy: AnyPolicy | None = None,
        max_iterations: int = MAX_ITERATIONS,
    ) -> None:
        self._made = Workflow(name, (), version=version, description=description, policy=policy_document(policy))
        self._max_iterations = max_iterations

    @classmethod
    def of(cls, workflow: Workflow) -> Self:
        """The definition of a workflow that is there."""
        made = cls()
        made._made = workflow
        return made

    @classmethod
    def from_yaml(cls, source: str | Path) -> Self:
        """Reads a file, or text of several lines; raises InvalidWorkflowError naming every problem with its place."""
        if isinstance(source, str) and "\n" in source:
            return cls.of(load_workflow(source))
        try:
            text = Path(source).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InvalidWorkflowError.of(FieldViolation(str(source), "is not UTF-8 text")) from None
        return cls.of(load_workflow(text, source=str(source)))

    def add_node(self, node: Node | str, **fields: JsonValue) -> Self:
        """Adds a Node, or one of that id with the fields docs/workflow-yaml.md names; raises InvalidWorkflowError for others."""
        added = node if isinstance(node, Node) else _node(node, fields)
        if isinstance(node, Node) and fields:
            raise TypeError(f"node {node.id!r} is complete; leave out {', '.join(fields)}")
        if any(other.id == added.id for other in self._made.nodes):
            raise ValueError(f"there are two nodes named {added.id!r}")
        self._made = replace(self._made, nodes=(*self._made.nodes, added))
        return self

    def add_edge(self, source: str, target: str) -> Self:
        """Adds an edge that is always taken; START and END are nodes here."""
        return self._edge(Edge(source, target))

    def add_conditional_edge(
        self, *, source: str, target: str, condition: str, max_iterations: int | None = None
    ) -> Self:
        """Adds an edge that is taken when the condition, in CEL, is true."""
        return self._edge(Edge(source, target, condition, max_iterations))

    def set_entry_point(self, node_id: str) -> Self:
        """Names the node that starts; without it every node that no edge leads to does."""
        self._made = replace(self._made, entry=node_id)
        return self

    def build(self) -> Workflow:
        """Returns the workflow, checked; raises InvalidWorkflowError naming every problem."""
        return load_workflow(dump_workflow(self._resolved()), source=self._made.name)

    def to_yaml(self, path: str | Path | None = None) -> str:
        """Returns the checked workflow as YAML, and writes it to the file when one is named."""
        text = dump_workflow(self.build())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    async def run(
        self,
        input: str | Mapping[str, JsonValue],  # noqa: A002 - the name callers use
        *,
        policy: AnyPolicy | None = None,
        registry: Registry | None = None,
        ledger: str | None = None,
    ) -> WorkflowResult:
        """Runs the workflow in this process, governed and recorded; returns when it ended or waits for a human.

        ``registry`` holds its tools and functions, ``ledger`` is where it is recorded (default: as MESHFLOW_LEDGER_DB says).
        """
        request = program_request(input, policy, self.to_yaml())
        async with local_runtime(registry, ledger) as runtime:
            return WorkflowResult.of(await runtime.commands.run.execute(LOCAL, request))

    def _edge(self, edge: Edge) -> Self:
        self._made = replace(self._made, edges=(*self._made.edges, edge))
        return self

    def _resolved(self) -> Workflow:
        made = self._made
        starts = [made.entry] if made.entry else [edge.target for edge in made.edges if edge.source == START]
        if not starts:
            reached = {edge.target for edge in made.edges if edge.source != edge.target and edge.max_iterations is None}
            starts = [node.id for node in made.nodes if node.id not in reached] or [node.id for node in made.nodes[:1]]
            single = len(starts) == 1
            made = replace(
                made,
                entry=starts[0] if single else "",
                edges=made.edges if single else (*(Edge(START, start) for start in starts), *made.edges),
            )
        forward = [(e.source, e.target) for e in made.edges if e.max_iterations is None and e.target != END]
        back = back_edges(starts, forward)
        bounded = (
            replace(e, max_iterations=self._max_iterations) if e.condition and (e.source, e.target) in back else e
            for e in made.edges
        )
        return replace(made, edges=tuple(bounded))


def _node(node_id: str, fields: Mapping[str, JsonValue]) -> Node:
    """Checked like a document of this node alone."""
    document = {"name": "node", "entry": node_id, "nodes": {node_id: dict(fields)}}
    problems = document_problems(document)
    if problems:
        raise InvalidWorkflowError.of(*(FieldViolation(dotted(p.path), p.message) for p in problems))
    return from_document(document).nodes[0]
