"""A definition with subgraphs is read once for each text: another text, or another version of a subgraph, is seen by the next run."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.errors import InvalidWorkflowError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.engine import registered_workflows
from meshflow_grpc.engine.registered_workflows import MAX_KEPT_CHARS
from tests.unit.engine.conftest import ALICE, World, make_world

INNER = "name: pair\nentry: a\nnodes: {a: {}}\n"
OUTER = "name: outer\nentry: sub\nnodes:\n  sub: {kind: subgraph, workflow: pair}\n"


async def _steps(world: World, text: str) -> list[str]:
    run = await world.run(workflow_yaml=text)
    return [e.step_id for e in await world.entries(run.run_id) if e.kind is EntryKind.STEP_COMMITTED]


async def test_the_next_run_sees_another_version_of_the_subgraph_and_another_text() -> None:
    """The text that was read before stands for nothing but itself."""
    world = make_world()
    await world.runtime.commands.put_workflow.execute(ALICE, INNER)
    assert await _steps(world, OUTER) == await _steps(world, OUTER) == ["sub.a#1", "sub#1"]
    await world.runtime.commands.put_workflow.execute(ALICE, "name: pair\nversion: '2'\nentry: b\nnodes: {b: {}}\n")
    assert await _steps(world, OUTER) == ["sub.b#1", "sub#1"]
    assert await _steps(world, OUTER.replace("sub:", "other:").replace("entry: sub", "entry: other")) == [
        "other.b#1",
        "other#1",
    ]


async def test_a_text_that_is_refused_is_refused_again() -> None:
    """What cannot be read is not kept, and every caller is told why."""
    world = make_world()
    for _ in range(2):
        with pytest.raises(InvalidWorkflowError, match="colour"):
            await world.run(workflow_yaml=OUTER + "colour: red\n")


async def test_what_is_kept_is_bounded_in_number_and_size() -> None:
    """The last 64 texts at most, and none that is long."""
    world = make_world()
    await world.runtime.commands.put_workflow.execute(ALICE, INNER)
    kept = registered_workflows._kept
    for number in range(kept.cache_parameters()["maxsize"] + 3):
        await _steps(world, f"{OUTER}description: number {number}\n")
    full = kept.cache_info()
    assert full.currsize == full.maxsize == 64
    await _steps(world, f"{OUTER}# {'long ' * (MAX_KEPT_CHARS // 5)}\n")
    assert kept.cache_info().misses == full.misses
