"""Generated workflows that are valid, with every field in play."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import END, START, Edge, Node, NodeKind, Workflow

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_TRICKY = st.sampled_from(
    ["no", "1e3", "0o17", "~", "", "null", "2024-01-01", " x ", "a: b", "# c", "- d", "a\n b\n", "\n", "%"]
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT | _TRICKY,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(_TEXT | st.just("$float"), children, max_size=3),
    max_leaves=6,
)
_OBJECT = st.dictionaries(_TEXT, _JSON, max_size=3)
_CONFIG: dict[NodeKind, st.SearchStrategy[dict[str, Any]]] = {
    NodeKind.AGENT: st.fixed_dictionaries(
        {},
        optional={
            "system": _TEXT | _TRICKY,
            "model": _NAME,
            "prompt": _TEXT | _TRICKY,
            "max_output_tokens": st.integers(1, 1000),
            "tools": st.lists(_NAME, max_size=3),
            "mock": _OBJECT,
        },
    ),
    NodeKind.PYTHON: st.fixed_dictionaries({"ref": _NAME}),
    NodeKind.TOOL: st.fixed_dictionaries({"tool": _NAME}, optional={"arguments": _OBJECT}),
    NodeKind.HTTP: st.fixed_dictionaries({"url": st.just("https://svc/x?a=1#b")}, optional={"method": st.just("PUT")}),
    NodeKind.GRPC: st.fixed_dictionaries(
        {"peer": st.just("build.ai")}, optional={"failover": st.just(["marco.ai"]), "task": _TEXT.filter(bool)}
    )
    | st.fixed_dictionaries({"concern": st.just("build")}, optional={"budget_share": st.floats(0.001, 1)}),
    NodeKind.HUMAN: st.fixed_dictionaries({}, optional={"prompt": _TEXT}),
    NodeKind.SUBGRAPH: st.fixed_dictionaries({"workflow": _NAME.map(lambda name: f"{name[:10]}?")}),
}


@st.composite
def _nodes(draw: st.DrawFn, node_id: str) -> Node:
    kind = draw(st.sampled_from(list(NodeKind)))
    return Node(
        id=node_id,
        kind=kind,
        role=draw(_TEXT),
        risk=draw(st.sampled_from(list(RiskTier))),
        timeout_s=draw(st.floats(0, 1e6)),
        max_retries=draw(st.none() | st.integers(0, 100)),
        output_schema=draw(st.none() | _OBJECT),
        sla_ms=draw(st.none() | st.integers(1, 10**6)),
        config=draw(_CONFIG[kind]),
    )


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """A chain with shortcuts, loops on single nodes and an edge to END; begun by an entry or by an edge from START."""
    ids = draw(st.lists(st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,8}[a-z]\Z"), min_size=1, max_size=4, unique=True))
    ids = [node_id for node_id in ids if node_id not in {"START", "END"}] or ["a"]
    conditions = st.sampled_from(["", "quality_score < 0.8", "output == 'a\"b'", "has(state.x) && state.x > 1"])
    edges = [Edge(one, two, draw(conditions)) for one, two in pairwise(ids)]
    edges += [
        Edge(node_id, node_id, "iteration < 3", draw(st.integers(1, 9))) for node_id in ids if draw(st.booleans())
    ]
    edges += [Edge(ids[-1], END, draw(conditions))] if draw(st.booleans()) else []
    from_start = draw(st.booleans())
    return Workflow(
        name=draw(st.from_regex(r"\A[a-z][a-z0-9_.-]{0,10}[a-z]\Z")),
        version=draw(_NAME),
        description=draw(_TEXT | _TRICKY),
        policy=draw(
            st.just({}) | st.just({"budget_usd": 2.5, "mode": "regulated", "human_in_loop": {"enabled": True}})
        ),
        entry="" if from_start else ids[0],
        nodes=tuple(draw(_nodes(node_id)) for node_id in ids),
        edges=(*([Edge(START, ids[0])] if from_start else []), *edges),
    )
