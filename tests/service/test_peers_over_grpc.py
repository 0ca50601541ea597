"""Steps at peers over real channels: two servers, two ledgers, one run that spans both."""

from __future__ import annotations

import asyncio
from typing import Any

from meshflow_grpc.domain.run import Principal, RunStatus
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from meshflow_grpc.ledger.checkpoint import open_checkpoint
from meshflow_grpc.ports.storage import RunQuery
from tests.fakes.peers import mesh_node
from tests.fakes.tools import Application
from tests.service.conftest import MakeService, Service
from tests.service.mesh_world import caller, node_of

FLOW = "name: w\nentry: b\nnodes:\n  b: {kind: grpc, peer: build.ai, failover: [marco.ai], workflow: job%s}\n"
ANYONE = Principal("anonymous", "default", method="none")
RETRY_NONE = {"circuit_breaker": {"max_retries": 0}}


async def put(service: Service, yaml: str) -> None:
    """Registers a workflow at a peer."""
    await service.world.runtime.commands.put_workflow.execute(ANYONE, yaml)


async def peer_of(make: MakeService, node: str, app: Application | None = None) -> Service:
    """A server with a workflow ``job`` of one node."""
    service: Service = await make(tools=(app or Application()).registry())
    await put(service, f"name: job\nentry: a\nnodes:\n  a: {node}\n")
    return service


async def runs_at(service: Service) -> list[Any]:
    """The peer's runs."""
    page = await service.world.storage.list_runs(RunQuery("default", 10, ""))
    return list(page.runs)


async def outcome(world: Any, run_id: str) -> Any:
    """The step's outcome entry."""
    return [entry for entry in await world.entries(run_id) if entry.kind.value.startswith("step_")][-1]


async def test_a_run_there_is_the_step_here(make_service: MakeService) -> None:
    """Usage, head and signed log of the peer are in the local entry; parent and key in the peer's run."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", peer)) as world:
        policy = parse_policy_fields({"budget_usd": 0.8, "immutable_audit": True})
        run = await world.run(workflow_yaml=FLOW % "", policy=policy)
        entry = await outcome(world, run.run_id)
    (there,) = await runs_at(peer)
    told = entry.facts["peer"]
    signed = open_checkpoint(told["tree_head"], peer.world.runtime.log.keys.verifiers).checkpoint

    assert (run.status, run.output) == (RunStatus.COMPLETED, there.output)
    assert (run.usage.cost_nano_usd, run.usage.tokens) == (there.usage.cost_nano_usd, there.usage.tokens)
    assert there.usage.cost_nano_usd > 0
    assert (told["run_id"], told["sequence"], told["hash"]) == (there.run_id, there.entries, there.head_hash)
    assert signed.size >= there.entries
    assert there.policy["budget_usd"] == 0.2
    assert (there.request_id, there.labels["parent_run"]) == (f"{run.run_id}/b#1", run.run_id)


async def test_a_peer_does_nothing_above_the_steps_tier(make_service: MakeService) -> None:
    """An internal step's peer sends no mail, so that the step can be done again elsewhere."""
    app = Application()
    peer = await peer_of(make_service, "{kind: tool, tool: mail, arguments: {text: x}}", app)
    async with caller(node_of("build.ai", peer)) as world:
        run = await world.run(workflow_yaml=FLOW % "")
        entry = await outcome(world, run.run_id)
        assert (entry.facts["reason"], app.effects) == ("PEER_BLOCKED", [])
        assert "mesh_caller_tier" in (run.reason or "")
        run = await world.run(workflow_yaml=FLOW % ", risk: external_io")

    assert (run.status, app.effects) == (RunStatus.COMPLETED, ["mail x"])


async def test_taint_follows_the_work(make_service: MakeService) -> None:
    """What a stranger wrote here causes nothing irreversible there either."""
    app = Application()
    peer = await peer_of(make_service, "{kind: tool, tool: pay, arguments: {amount: 3}}", app)
    text = "name: w\nentry: a\nnodes:\n  a: {kind: grpc, peer: build.ai, workflow: job, risk: irreversible}\n"
    async with caller(node_of("build.ai", peer)) as world:
        trusted = await world.run(workflow_yaml=text)
        tainted = await world.run(workflow_yaml=text, labels={"mesh_taint": "untrusted"})
        lower = text.replace("irreversible", "external_io")
        far = await world.run(workflow_yaml=lower, labels={"mesh_taint": "untrusted"})
    there = await runs_at(peer)

    assert (trusted.status, app.effects) == (RunStatus.COMPLETED, ["pay 3"])
    assert (tainted.blocked_by, tainted.status) == ("taint_propagation", RunStatus.BLOCKED)
    assert (far.status, there[0].labels["mesh_taint"]) == (RunStatus.BLOCKED, "untrusted")


async def test_cancelling_here_cancels_there(make_service: MakeService) -> None:
    """Confirmed by the peer's ledger."""
    app = Application()
    peer = await peer_of(make_service, "{kind: tool, tool: hang}", app)
    async with caller(node_of("build.ai", peer)) as world:
        run_id = await world.start(workflow_yaml=FLOW % "")
        await asyncio.wait_for(app.started.wait(), 60)
        async with asyncio.timeout(60):
            run = await world.cancel(run_id)
    (there,) = await runs_at(peer)

    assert (run.status, there.status) == (RunStatus.CANCELLED, RunStatus.CANCELLED)


async def test_a_pause_there_is_a_pause_here(make_service: MakeService) -> None:
    """Decided there, then approved here, the run goes on with the result; nothing runs twice."""
    peer = await peer_of(make_service, "{kind: human, prompt: Ship it?}")
    async with caller(node_of("build.ai", peer)) as world:
        run = await world.run(workflow_yaml=FLOW % "")
        (there,) = await runs_at(peer)
        (asked,) = await peer.world.runtime.gates.of_run(there)
        assert run.status is RunStatus.PAUSED
        assert run.pending_approval is not None
        assert asked.approval_id in run.pending_approval.reason
        await peer.world.approve(asked.approval_id, tenant_id="default")
        await world.approve(run.pending_approval.approval_id)
        run = await world.settled(run.run_id)

    assert (run.status, len(await runs_at(peer))) == (RunStatus.COMPLETED, 1)
    assert '"decision":"approve"' in run.output


async def test_a_port_where_nobody_listens_costs_no_time(make_service: MakeService) -> None:
    """The next peer has the step at once."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    async with caller(mesh_node("gone.ai", "127.0.0.1:9"), node_of("marco.ai", peer)) as world:
        async with asyncio.timeout(60):
            run = await world.run(workflow_yaml=FLOW % ", risk: irreversible")
        entry = await outcome(world, run.run_id)

    assert (run.status, entry.facts["peer"]["slug"]) == (RunStatus.COMPLETED, "marco.ai")


async def test_a_peer_that_goes_away_in_the_middle_is_replaced(make_service: MakeService) -> None:
    """The step is done by the next, since it could do nothing that must not happen twice."""
    app = Application()
    first = await peer_of(make_service, "{kind: tool, tool: hang}", app)
    second = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", first), node_of("marco.ai", second)) as world:
        run_id = await world.start(workflow_yaml=FLOW % "", policy=parse_policy_fields(RETRY_NONE))
        await asyncio.wait_for(app.started.wait(), 60)
        await first.server.stop(0)
        run = await world.settled(run_id)
        entry = await outcome(world, run_id)

    assert (run.status, entry.facts["peer"]["slug"]) == (RunStatus.COMPLETED, "marco.ai")


async def test_a_peer_that_goes_away_after_it_may_have_acted_is_not_replaced(make_service: MakeService) -> None:
    """A person decides; the peer's run is found again by its key when the peer is back."""
    app = Application()
    first = await peer_of(make_service, "{kind: tool, tool: hang}", app)
    second = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", first), node_of("marco.ai", second)) as world:
        policy = parse_policy_fields(RETRY_NONE)
        run_id = await world.start(workflow_yaml=FLOW % ", risk: external_io", policy=policy)
        await asyncio.wait_for(app.started.wait(), 60)
        await first.server.stop(0)
        run = await world.settled(run_id)

    assert run.status is RunStatus.PAUSED
    assert run.pending_approval is not None
    assert "IN_DOUBT" in run.pending_approval.reason
    assert await runs_at(second) == []


async def test_an_unknown_workflow_there_is_said(make_service: MakeService) -> None:
    """With the peer's own words."""
    peer: Service = await make_service()
    async with caller(node_of("build.ai", peer)) as world:
        run = await world.run(workflow_yaml=FLOW % "")

    assert run.status is RunStatus.FAILED
    assert "workflow 'job' was not found" in (run.reason or "")


async def test_a_run_under_every_field_of_policy_is_taken(make_service: MakeService) -> None:
    """What the caller sends is what a server accepts."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    fields = {
        "mode": "regulated",
        "compliance": "sox",
        "denied_data": "phi",
        "enable_environmental": True,
        "enable_uncertainty": True,
        "carbon_budget_g": 40,
        "step_timeout_s": 20,
        "max_output_chars": 100_000,
        "allowed_tools": ["grpc"],
        "rules": [{"name": "r", "effect": "pause", "expression": "tool == 'x'"}],
        "human_in_loop": {"approvers": ["carol"], "tier_threshold": "external_io"},
    }
    async with caller(node_of("build.ai", peer)) as world:
        run = await world.run(workflow_yaml=FLOW % "", policy=parse_policy_fields(fields))
    (there,) = await runs_at(peer)

    assert run.status is RunStatus.COMPLETED
    same = ("mode", "compliance", "denied_data", "enable_uncertainty", "immutable_audit", "scrub_pii", "human_in_loop")
    assert {name: there.policy[name] for name in same} == {name: run.policy[name] for name in same}
    assert there.policy["carbon_budget_g"] == 10


async def test_a_long_run_there_is_waited_for(make_service: MakeService) -> None:
    """Past the time a peer has between two words."""
    app = Application()
    peer = await peer_of(make_service, "{kind: tool, tool: block}", app)
    async with caller(node_of("build.ai", peer), answer_s=0.05) as world:
        run_id = await world.start(workflow_yaml=FLOW % "")
        await asyncio.to_thread(app.blocking.wait, 60)
        for _ in range(3):
            await waited(peer)
        app.release.set()
        run = await world.settled(run_id)

    assert (run.status, run.output) == (RunStatus.COMPLETED, "late")
    assert len(await runs_at(peer)) == 1


async def waited(peer: Service) -> None:
    """Until the peer has been asked about the run once more."""
    (there,) = await runs_at(peer)
    await peer.world.runtime.commands.wait_run.execute(ANYONE, there.run_id, timeout_s=0.1)


async def test_a_peer_that_stops_in_the_middle_has_begun_the_run(make_service: MakeService) -> None:
    """It drains and names the run: nobody else may have a step that may have acted."""
    app = Application()
    first = await peer_of(make_service, "{kind: tool, tool: hang}", app)
    second = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", first), node_of("marco.ai", second)) as world:
        policy = parse_policy_fields(RETRY_NONE)
        run_id = await world.start(workflow_yaml=FLOW % ", risk: external_io", policy=policy)
        await asyncio.wait_for(app.started.wait(), 60)
        first.world.runtime.state.draining = True
        await first.world.runtime.engine.drain(0)
        run = await world.settled(run_id)

    assert run.status is RunStatus.PAUSED
    assert await runs_at(second) == []
