"""Plays the plain-text scenarios beside this file: each shows a graph, the outcomes fed in, and everything that follows.

Commands stand at the margin, the answers to them are indented: ``complete NODE#N true TARGET...`` names the conditional edges that
are true.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.workflow import Edge, JoinRule
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.frontier import NodeRun, Progress, Transition
from meshflow_grpc.workflow.graph import build_graph
from tests.unit.workflow.drawing import draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.workflow.frontier import LoopIteration

_SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))
_EDGE = re.compile(r"edge (\w+) -> (\w+)(?: if (\w+))?(?: max (\d+))?")


def _start(lines: list[str]) -> Progress:
    found = [match.groups() for match in map(_EDGE.fullmatch, lines) if match]
    edges = [
        Edge(source, target, condition or "", int(bound) if bound else None)
        for source, target, condition, bound in found
    ]
    joins = {line.split()[1]: JoinRule(line.split()[2]) for line in lines if line.startswith("join ")}
    return frontier.start(build_graph(draw(*edges, joins=joins)))


def _run(text: str) -> NodeRun:
    node_id, _, iteration = text.partition("#")
    return NodeRun(node_id, int(iteration))


def _shown(run: NodeRun) -> str:
    return f"{run.node_id}#{run.iteration}"


def _obey(progress: Progress, command: str) -> Transition:
    verb, run, *rest = command.split()
    if verb == "fail":
        return frontier.fail(progress, _run(run))
    targets = progress.graph.conditional_targets(_run(run).node_id)
    return frontier.complete(progress, _run(run), {target: target in rest[1:] for target in targets})


def _loop(word: str, loop: LoopIteration) -> str:
    return f"  {word} {loop.edge.source} -> {loop.edge.target} {loop.iteration} of {loop.max_iterations}"


def _answers(progress: Progress, transition: Transition) -> Iterator[str]:
    if transition.loop:
        yield _loop("loop", transition.loop)
    yield from (_loop("exhausted", loop) for loop in transition.exhausted)
    if transition.superseded:
        yield "  superseded " + " ".join(map(_shown, transition.superseded))
    if transition.stale:
        yield "  stale"
    if transition.skipped:
        yield "  skipped " + " ".join(transition.skipped)
    for item in transition.activated:
        yield f"  ready {_shown(item.run)}" + (f" from {' '.join(map(_shown, item.inputs))}" if item.inputs else "")
    if frontier.finished(progress):
        yield "  finished " + " ".join(map(_shown, frontier.results(progress)))


@pytest.mark.parametrize("file", _SCENARIOS, ids=lambda file: file.stem)
def test_scenario(file: Path) -> None:
    """Replaying the scenario's commands reproduces the file line by line."""
    lines = file.read_text(encoding="utf-8").splitlines()
    begin = lines.index("start")
    progress = _start(lines[:begin])
    played = ["start", *_answers(progress, Transition(activated=frontier.ready(progress)))]
    for command in lines[begin + 1 :]:
        if not command.startswith(" "):
            played += [command, *_answers(progress, _obey(progress, command))]
    assert "\n".join(played) == "\n".join(lines[begin:])


def test_there_are_scenarios() -> None:
    """The folder is found: without it the test above would pass by being empty."""
    assert len(_SCENARIOS) >= 5
