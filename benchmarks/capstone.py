"""The workload that engines are compared on: eight steps in seven levels, the gate failing exactly once, 300 bytes an answer.

researcher -> analyst_a and analyst_b -> writer -> gate -> writer -> gate -> publisher
"""

from __future__ import annotations

import json

STEPS = 8
TASK = "write about tides"
# A benchmark asks more of one agent than any model answers.
STEP_RATE_PER_S = 1_000_000.0
_BYTES = 300
_FILLER = (
    "The agent looked at the question from its own side and noted what it found, with one doubt and one next step. " * 3
)
_AGENTS = ("researcher", "analyst_a", "analyst_b", "writer", "publisher")
_EDGES = (
    "researcher -> analyst_a",
    "researcher -> analyst_b",
    "analyst_a -> writer",
    "analyst_b -> writer",
    "writer -> gate",
    '{from: gate, to: writer, condition: "quality_score < 0.8", max_iterations: 2}',
)


def answer(name: str) -> str:
    """What an agent says, always the same."""
    return f"[{name}] {_FILLER}"[:_BYTES]


def workflow(latency_ms: float = 0, *, human: bool = False) -> str:
    """The YAML, answered by the offline model after ``latency_ms``; ``human`` puts one before the publisher."""
    mocks: dict[str, dict[str, object]] = {name: {"output": answer(name)} for name in _AGENTS}
    mocks["gate"] = {"scores": [0.5, 0.9]}
    nodes = [f"  {name}: {{mock: {json.dumps(mock | {'latency_ms': latency_ms})}}}" for name, mock in mocks.items()]
    edges = [*_EDGES]
    after = "publisher"
    if human:
        nodes.append("  human: {kind: human, prompt: Publish it?}")
        edges.append("human -> publisher")
        after = "human"
    edges.append(f'{{from: gate, to: {after}, condition: "quality_score >= 0.8"}}')
    listed = "\n".join(f"  - {edge}" for edge in edges)
    return "name: capstone\nentry: researcher\nnodes:\n" + "\n".join(nodes) + f"\nedges:\n{listed}\n"


def chain(length: int) -> str:
    """A line of agents."""
    mock = json.dumps({"output": answer("n")})
    nodes = "\n".join(f"  n{i}: {{mock: {mock}}}" for i in range(length))
    edges = "\n".join(f"  - n{i} -> n{i + 1}" for i in range(length - 1))
    return f"name: chain\nentry: n0\nnodes:\n{nodes}\nedges:\n{edges}\n"
