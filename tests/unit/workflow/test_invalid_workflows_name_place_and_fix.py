"""What is refused, where the message points, and that one answer lists every problem."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow_grpc.domain.errors import ErrorReason, InvalidWorkflowError
from meshflow_grpc.domain.workflow import Edge, JoinRule, Node, NodeKind, Workflow
from meshflow_grpc.workflow.compiled import compile_workflow
from meshflow_grpc.workflow.validation import validate
from meshflow_grpc.workflow.yaml_codec import load_workflow
from tests.unit.workflow.drawing import draw


def _problems(text: str) -> dict[str, str]:
    with pytest.raises(InvalidWorkflowError) as caught:
        load_workflow(text, source="f.yaml")
    assert caught.value.reason is ErrorReason.INVALID_WORKFLOW
    return {violation.field: violation.description for violation in caught.value.violations}


def _in_nodes(node: str) -> str:
    return f"name: w\nentry: a\nnodes:\n  a: {node}\n"


def _with_edges(*edges: str) -> str:
    return "name: w\nentry: a\nnodes: {a: {}, b: {}, c: {}}\nedges:\n" + "".join(f"  - {edge}\n" for edge in edges)


def test_all_problems_are_listed_at_once_in_order_of_place() -> None:
    """One reading reports wrong keys, wrong values, duplicates, dangling edges and bad conditions together."""
    text = """name: w
entry: wrter
polcy: {}
nodes:
  writer: {kind: agent, rsk: high}
  writer: {}
  check: {kind: python}
edges:
  - writer -> chekc
  - {from: writer, to: check, condition: "1 +"}
"""
    assert list(_problems(text)) == [
        "f.yaml:2:8 entry",
        "f.yaml:3:1 polcy",
        "f.yaml:5:25 nodes.writer.rsk",
        "f.yaml:6:3 nodes.writer (6:3)",
        "f.yaml:7:10 nodes.check",
        "f.yaml:9:5 edges[0].to",
        "f.yaml:10:42 edges[1].condition",
    ]


@pytest.mark.parametrize(
    ("node", "field", "message"),
    [
        ("{kind: agnt}", "4:13 nodes.a.kind", "did you mean 'agent'?"),
        ("{max_output_token: 3}", "4:7 nodes.a.max_output_token", "did you mean 'max_output_tokens'?"),
        ("{timeout_s: -1}", "4:18 nodes.a.timeout_s", "between 0 and"),
        ("{timeout_s: .nan}", "4:18 nodes.a.timeout_s", "finite"),
        ("{timeout_s: '5'}", "4:18 nodes.a.timeout_s", "must be a number, not text"),
        ("{max_retries: 1.5}", "4:20 nodes.a.max_retries", "whole number"),
        ("{max_retries: true}", "4:20 nodes.a.max_retries", "whole number, not true or false"),
        ("{role: 7}", "4:13 nodes.a.role", "put it in quotes"),
        ("{risk: External_IO}", "4:13 nodes.a.risk", "did you mean 'external_io'?"),
        ("{join: most}", "4:13 nodes.a.join", "expected one of all, any, majority"),
        ("{join: any}", "4:13 nodes.a.join", "at least two incoming edges"),
        ("{output_schema: []}", "4:22 nodes.a.output_schema", "must be a mapping, not a list"),
        ("{kind: python}", "4:6 nodes.a", "needs 'ref'"),
        ("{kind: tool, ref: x}", "4:19 nodes.a.ref", "unknown key 'ref'"),
        ("{kind: http, url: 'file:///etc/passwd'}", "4:24 nodes.a.url", "http:// or https://"),
        ("{kind: http, url: 'http://x', method: get}", "4:44 nodes.a.method", "did you mean 'GET'?"),
        ("{kind: grpc}", "4:6 nodes.a", "exactly one of 'peer' and 'concern'"),
        ("{kind: grpc, peer: x, concern: y}", "4:6 nodes.a", "exactly one of"),
        ("{kind: grpc, peer: Build.AI}", "4:25 nodes.a.peer", "lower-case words"),
        ("{kind: grpc, concern: 'a b'}", "4:28 nodes.a.concern", "lower-case word"),
        ("{kind: grpc, peer: x, failover: [y, x]}", "4:42 nodes.a.failover[1]", "a second time"),
        ("{kind: grpc, peer: x, budget_share: 2}", "4:42 nodes.a.budget_share", "between"),
        ("{kind: subgraph, workflow: w}", "4:33 nodes.a.workflow", "cannot contain itself"),
        ("{tools: [search, 3]}", "4:23 nodes.a.tools[1]", "must be text"),
        ("{system: !!python/object:os.system x}", "4:15 nodes.a.system", "tags are not allowed"),
        ("null", "4:6 nodes.a", "must be a mapping, not null"),
    ],
)
def test_a_bad_node_is_refused_at_its_place(node: str, field: str, message: str) -> None:
    """Every wrong field of a node is named with line, column, path and a way to fix it."""
    problems = _problems(_in_nodes(node))
    assert message in problems[f"f.yaml:{field}"]


@pytest.mark.parametrize(
    ("edges", "field", "message"),
    [
        (("a -> b", "b -> d"), "6:5 edges[1].to", "there is no node 'd'"),
        (("START -> b",), "5:5 edges[0]", "has the entry 'a' already"),
        (("a -> START",), "5:5 edges[0].to", "START has no incoming edge"),
        (("END -> b",), "5:5 edges[0].from", "END has no outgoing edge"),
        (("a > b",), "5:5 edges[0]", "must look like 'a -> b'"),
        (("a -> a",), "5:5 edges[0]", "needs a condition and max_iterations"),
        (("a -> b", "a -> b"), "6:5 edges[1]", "repeats an edge"),
        (("a -> b",), "3:23 nodes.c", "cannot be reached"),
        (("a -> b", "b -> c", "c -> a"), "7:5 edges[2]", "a -> b -> c -> a, which has no bound"),
        (("a -> b", "b -> c", "{from: c, to: a, max_iterations: 2}"), "7:5 edges[2]", "needs a condition"),
        (("a -> b", "b -> c", "{from: a, to: c, condition: x, max_iterations: 2}"), "7:5 edges[2]", "closes a cycle"),
        (
            ("a -> b", "b -> c", "{from: c, to: a, condition: x, max_iterations: 0}"),
            "7:52 edges[2].max_iterations",
            "1 and",
        ),
        (
            ("a -> b", "b -> c", "{from: c, to: END, condition: x, max_iterations: 1}"),
            "7:54 edges[2].max_iterations",
            "END",
        ),
        (("{from: a, to: b, condition: 'x <'}",), "5:33 edges[0].condition", "Syntax error"),
        (("{from: a, to: b, condition: '1 + 2'}",), "5:33 edges[0].condition", "must give bool"),
        (("{from: a, to: b, conditon: x}",), "5:22 edges[0].conditon", "did you mean 'condition'?"),
    ],
)
def test_a_bad_edge_is_refused_at_its_place(edges: tuple[str, ...], field: str, message: str) -> None:
    """Every wrong edge is named with line, column, path and what is the matter."""
    assert message in _problems(_with_edges(*edges))[f"f.yaml:{field}"]


@pytest.mark.parametrize("node_id", ["START", "END", "1a", "a b", "a-", "a.b", "x" * 65, "é"])
def test_node_ids_keep_to_the_charset(node_id: str) -> None:
    """Ids that would be ambiguous in an edge, a table or a path are refused."""
    with pytest.raises(InvalidWorkflowError, match=r"not a valid name|reserved"):
        load_workflow(
            f"name: w\nentry: a\nnodes: {{a: {{}}, {node_id!r}: {{}}}}\nedges: [{{from: a, to: {node_id!r}}}]\n"
        )


def test_policy_values_are_checked_as_a_requests_are() -> None:
    """Types, ranges, words and rules, each at its place, beside wrong keys; what a request may hold, a definition may."""
    text = """name: w
entry: a
nodes: {a: {}}
policy:
  budget_usd: much
  max_steps: 0
  human_in_loop: {enabled: 1, tier_threshold: high, timeot_s: 5}
  rules: [{name: r, effect: deny, expression: "risk =="}]
"""
    found = _problems(text)
    assert [field.removeprefix("f.yaml:") for field in found] == [
        "5:15 policy.budget_usd",
        "6:14 policy.max_steps",
        "7:28 policy.human_in_loop.enabled",
        "7:47 policy.human_in_loop.tier_threshold",
        "7:53 policy.human_in_loop.timeot_s",
        "8:47 policy.rules[0].expression",
    ]
    assert found["f.yaml:5:15 policy.budget_usd"] == "expected a number, got string"
    taken = 'policy: {allowed_tools: null, compliance: "hipaa, sox", budget_usd: 2, mode: legal_critical}'
    load_workflow(f"name: w\nentry: a\nnodes: {{a: {{}}}}\n{taken}\n")


def test_policy_keys_are_those_of_the_policy() -> None:
    """Unknown policy fields, nested ones too, are refused with the nearest name."""
    text = (
        "name: w\nentry: a\nnodes: {a: {}}\npolicy: {budget_us: 1, human_in_loop: {enable: true}, rules: [{nam: x}]}\n"
    )
    described = " ".join(_problems(text).values())
    assert "'budget_usd'" in described
    assert "'enabled'" in described
    assert "'name'" in described


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("[1", "not YAML"),
        ("a: b: c", "not YAML"),
        ("- a", "must be a mapping"),
        ("a: 1\n---\nb: 1\n", "second document"),
        ("a: &x [*x]", "alias"),
        ("a: *x", "alias"),
        ("a: " + "[" * 100_000, "nested deeper"),
        ("a: '" + "x" * 1_048_576 + "'", "larger than"),
        ("\x00", "not YAML"),
        (
            "a0: &a0 [1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20)),
            "400000",
        ),
        ("1: x", "a key must be text"),
    ],
    ids=range(12),
)
def test_hostile_or_broken_text_is_refused(text: str, message: str) -> None:
    """Text that is not one bounded YAML document is a typed error, quickly."""
    with pytest.raises(InvalidWorkflowError, match=message):
        load_workflow(text)


def test_aliases_within_bounds_are_read() -> None:
    """An anchor used twice means the same text twice."""
    workflow = load_workflow("name: w\nentry: a\nnodes: {a: &n {system: s}, b: *n}\nedges: [a -> b]\n")
    assert workflow.node("b").config == {"system": "s"}


def test_workflows_built_in_python_meet_the_same_rules() -> None:
    """Definitions that never were YAML are validated alike; the field is the path."""
    workflow = Workflow(
        "w",
        (
            Node("a"),
            Node("a"),
            Node("b", kind=NodeKind.HTTP, timeout_s=-1.0),
            Node("c", config={"risk": "x"}),
        ),
        (Edge("a", "nowhere"), Edge("START", "b")),
        entry="a",
    )
    with pytest.raises(InvalidWorkflowError) as caught:
        validate(workflow)
    assert {violation.field for violation in caught.value.violations} >= {
        "nodes.a",
        "nodes.b",
        "nodes.b.timeout_s",
        "nodes.c.config.risk",
        "edges[0].to",
        "edges[1]",
    }
    with pytest.raises(InvalidWorkflowError, match="JSON value"):
        mock: Any = {"x": object()}
        validate(Workflow("w", (Node("a", config={"mock": mock}),), entry="a"))


def test_the_number_of_nodes_is_bounded() -> None:
    """10,000 nodes are accepted, one more is not."""
    chain = " -> ".join(f"n{i}" for i in range(10_000))
    assert len(compile_workflow(draw(chain)).graph.nodes) == 10_000
    with pytest.raises(InvalidWorkflowError, match="at most 10000"):
        validate(draw(f"{chain} -> n10000"))


def test_a_workflow_without_a_start_is_refused() -> None:
    """Neither entry nor an edge from START: the message names both ways."""
    with pytest.raises(InvalidWorkflowError, match=r"entry.*START"):
        load_workflow("name: w\nnodes: {a: {}}\n")


def test_overlapping_loops_are_refused_with_a_way_out() -> None:
    """What the graph cannot schedule is a violation at its edge."""
    workflow = draw("w -> c1", "w -> c2", Edge("c1", "w", "x", 1), Edge("c2", "w", "y", 1), joins={"w": JoinRule.ALL})
    with pytest.raises(InvalidWorkflowError, match=r"edges\[\d\].*overlap.*join their branches"):
        validate(workflow)
