"""enable_cross_run_learning: finished runs that opted in sharpen the estimate and may raise reservations, in their tenant alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.engine import learning
from meshflow_grpc.ports.provider import ModelReply
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import ALICE, World, make_world

if TYPE_CHECKING:
    import pytest

    from meshflow_grpc.domain.check import RunCheck

LEARN = {"enable_cross_run_learning": True}
ONE = "name: one\nentry: writer\nnodes:\n  writer: {kind: agent, max_output_tokens: 10}\n"


async def check(world: World, policy: dict[str, object] | None = None, who: Principal = ALICE) -> RunCheck:
    """The pre-flight of the next run."""
    request = RunRequest(task="tides", policy=LEARN if policy is None else policy)
    return await world.runtime.commands.check_run.execute(who, request)


async def test_the_expectation_is_the_mean_of_what_runs_used() -> None:
    """Below the worst case, which stays as it is: what is reserved does not shrink."""
    world = make_world()
    before = await check(world)
    first = await world.run(policy=LEARN)
    second = await world.run("tides " * 50, policy=LEARN)
    after = await check(world)

    assert before.expectation is None
    assert after.expectation is not None
    assert after.estimate == before.estimate
    mean = (first.usage.cost_nano_usd + second.usage.cost_nano_usd) / 2
    assert mean <= after.expectation.usage.cost_nano_usd <= mean + 2
    assert after.expectation.usage.cost_nano_usd < after.estimate.cost_nano_usd
    assert [(n.node_id, n.runs, n.usage.steps) for n in after.expectation.nodes] == [
        ("researcher", 2, 1),
        ("writer", 2, 1),
    ]


async def test_only_runs_that_opted_in_are_learned_from_and_for() -> None:
    """Neither does a run learn that did not ask for it."""
    world = make_world()
    await world.run()
    assert (await check(world)).expectation is None
    await world.run(policy=LEARN)

    taught = (await check(world)).expectation
    assert taught is not None
    assert taught.runs == 1
    assert (await check(world, {})).expectation is None


async def test_tenants_do_not_learn_from_each_other() -> None:
    """What others used is their own business."""
    world = make_world()
    await world.run(policy=LEARN)

    assert (await check(world, who=Principal("bob", "umbrella", method="test"))).expectation is None


async def test_what_was_learned_survives_a_restart() -> None:
    """It is a projection of the ledger; nothing else is stored."""
    world = make_world()
    await world.run(policy=LEARN)
    expected = (await check(world)).expectation
    again = make_world(storage=world.storage, ids=SequentialIds(100))

    assert (await check(again)).expectation == expected is not None


async def test_runs_of_other_servers_are_seen_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statistics are read again after a while."""
    here = make_world()
    elsewhere = make_world(storage=here.storage, ids=SequentialIds(100))
    assert (await check(here)).expectation is None
    await elsewhere.run(policy=LEARN)
    assert (await check(here)).expectation is None
    monkeypatch.setattr(learning, "FRESH_S", -1.0)

    assert (await check(here)).expectation is not None


async def test_a_model_that_exceeds_its_bound_is_reserved_more_next_time() -> None:
    """The second run is refused before it spends what the first one overspent; without learning it would overspend too."""

    def verbose() -> FakeProvider:
        return FakeProvider({"writer": [ModelReply("much", "fake-mini", 5, 40)] * 2})

    outcomes = {}
    for name, policy in (("learned", LEARN), ("not", {})):
        world = make_world(verbose())
        first = await world.run(workflow_yaml=ONE, policy=policy)
        budget = (first.usage.cost_nano_usd - 1) / 1e9
        second = await world.run(workflow_yaml=ONE, policy={**policy, "budget_usd": budget})
        outcomes[name] = (second.status, len(world.provider.requests), second.usage.cost_nano_usd / 1e9 <= budget)

    assert outcomes == {"learned": (RunStatus.BLOCKED, 1, True), "not": (RunStatus.COMPLETED, 2, False)}


async def test_nothing_is_recorded_for_learning_without_consent() -> None:
    """The bound of a call stands only in entries of runs that opted in."""
    world = make_world()
    plain, taught = await world.run(), await world.run(policy=LEARN)

    assert not any("reserved_tokens" in e.facts for e in await world.entries(plain.run_id))
    assert any("reserved_tokens" in e.facts for e in await world.entries(taught.run_id))
