"""What this server can execute: found when a workflow is admitted, not in the middle of a run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import FieldViolation
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.engine.arguments import TASK, ancestors, references, scope
from meshflow_grpc.ports.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Node, Workflow
    from meshflow_grpc.ports.http import HttpCaller
    from meshflow_grpc.ports.provider import ModelProvider
    from meshflow_grpc.ports.tools import ToolCatalog

# Set by the server itself, or secret: a definition is recorded in the ledger.
OWN_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "host",
        "idempotency-key",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")


class NodeChecks:
    """Checks nodes one by one: a model must have a price, so that its budget can be held; tools and functions must be there."""

    def __init__(
        self, provider: ModelProvider, catalog: ToolCatalog, http: HttpCaller | None = None, *, has_peers: bool = False
    ) -> None:
        self._has_peers = has_peers
        self._http = http
        self._provider = provider
        self._catalog = catalog

    def problems(self, workflow: Workflow, node: Node) -> list[FieldViolation]:
        """Everything that keeps this server from executing a node."""
        field = f"workflow.nodes.{node.id}"
        found: list[FieldViolation] = []
        if node.kind is NodeKind.HUMAN:
            found.extend(_gate_problems(node, field))
        elif node.kind is NodeKind.SUBGRAPH:
            found.extend(_subgraph_problems(node, field))
        elif node.kind is NodeKind.AGENT:
            found.extend(self._agent(field, node))
        elif node.kind is NodeKind.TOOL:
            found.extend(self._tool(field, workflow, node))
        elif node.kind is NodeKind.HTTP:
            found.extend(self._http_request(field, workflow, node))
        elif node.kind is NodeKind.GRPC:
            found.extend(self._peer(field, workflow, node))
        elif (ref := cast("str", node.config["ref"])) not in self._catalog.function_names:
            found.append(FieldViolation(f"{field}.ref", _unknown("function", ref, self._catalog.function_names)))
        return found

    def _agent(self, field: str, node: Node) -> Iterator[FieldViolation]:
        tools = cast("Sequence[str]", node.config.get("tools") or ())
        for place, name in enumerate(tools):
            if name not in self._catalog.tool_names:
                yield FieldViolation(f"{field}.tools[{place}]", _unknown("tool", name, self._catalog.tool_names))
            elif name in tools[:place]:
                yield FieldViolation(f"{field}.tools[{place}]", f"names {name!r} a second time")
        model = node.config.get("model")
        try:
            self._provider.price(model if isinstance(model, str) and model else self._provider.default_model)
        except ProviderError as error:
            yield FieldViolation(f"{field}.model", error.message)

    def _tool(self, field: str, workflow: Workflow, node: Node) -> Iterator[FieldViolation]:
        name = cast("str", node.config["tool"])
        tool = self._catalog.tool(name)
        if tool is None:
            yield FieldViolation(f"{field}.tool", _unknown("tool", name, self._catalog.tool_names))
        arguments = cast("Mapping[str, JsonValue]", node.config.get("arguments") or {})
        named = set(references(arguments))
        yield from _references(f"{field}.arguments", workflow, node, named)
        problem = tool.check(arguments) if tool is not None and not named else None
        if problem is not None:
            yield FieldViolation(f"{field}.arguments", problem)

    def _http_request(self, field: str, workflow: Workflow, node: Node) -> Iterator[FieldViolation]:
        url = cast("str", node.config["url"])
        refused = "this server calls no HTTP hosts" if self._http is None else self._http.refusal(url)
        if refused is not None:
            yield FieldViolation(f"{field}.url", refused)
        if "${" in url:
            yield FieldViolation(
                f"{field}.url", "refers to nothing: where a request goes is fixed; put values in the body"
            )
        for name, value in cast("Mapping[str, JsonValue]", node.config.get("headers") or {}).items():
            place = f"{field}.headers.{name}"
            if name.lower() in OWN_HEADERS:
                yield FieldViolation(
                    place, "is set by the server, or is a secret, which does not belong in a definition"
                )
            elif not isinstance(value, str) or not value.isprintable() or "${" in value or not _HEADER.fullmatch(name):
                yield FieldViolation(place, "must be a header's name and text, without references")
        yield from _references(f"{field}.body", workflow, node, set(references(node.config.get("body"))))

    def _peer(self, field: str, workflow: Workflow, node: Node) -> Iterator[FieldViolation]:
        if not self._has_peers:
            yield FieldViolation(
                f"{field}.kind", "this server is no node of a mesh, so it has no peers; set MESHFLOW_MESH_SLUG"
            )
        yield from _references(f"{field}.task", workflow, node, set(references(node.config.get("task"))))


def _references(field: str, workflow: Workflow, node: Node, named: set[str]) -> Iterator[FieldViolation]:
    inside = scope(node.id)
    before = ancestors(workflow, node.id) if named else frozenset[str]()
    earlier = {each.removeprefix(inside) for each in before if each.startswith(inside)} | {TASK}
    for reference in sorted(named - earlier):
        rule = "task, or a node from which edges lead here"
        yield FieldViolation(field, f"${{{reference}}} must name {rule}; write $${{ for a literal ${{")


def _gate_problems(node: Node, field: str) -> list[FieldViolation]:
    """A gate waits as long as policy.human_in_loop.timeout_s says, and is asked once."""
    fix = "is not enforced for a human node; set policy.human_in_loop.timeout_s"
    unused = {"timeout_s": node.timeout_s > 0, "max_retries": node.max_retries is not None}
    return [FieldViolation(f"{field}.{name}", fix) for name, is_set in unused.items() if is_set]


def _subgraph_problems(node: Node, field: str) -> list[FieldViolation]:
    fix = "is not enforced for a subgraph; set it on the nodes of its workflow"
    unused = {
        "timeout_s": node.timeout_s > 0,
        "max_retries": node.max_retries is not None,
        "sla_ms": node.sla_ms is not None,
    }
    return [FieldViolation(f"{field}.{name}", fix) for name, is_set in unused.items() if is_set]


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"there is no {what} {name!r}; {hint} (meshflow serve --app pkg.module:registry)"
