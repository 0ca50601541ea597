"""Under profile gdpr data goes to recipients that the operator declared, in allowed regions, and each step's entry names them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.app.reloading import declared_files
from meshflow_grpc.config import ConfigurationError, Settings
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.domain.tool import Action
from meshflow_grpc.domain.workflow import Node, NodeKind
from meshflow_grpc.governance.compliance_evidence import evaluate
from meshflow_grpc.governance.recipients import DeclaredRecipients, destinations, parse_recipients
from meshflow_grpc.governance.run_evidence import Finding, RunEvidence
from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from meshflow_grpc.ports.mesh import MeshAccess
from tests.fakes.peers import GONE, FakeMesh, answer
from tests.fakes.providers import FakeProvider
from tests.fakes.tools import Application
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.peer_flows import flow, step
from tests.unit.engine.test_controls_are_judged_by_the_ledger import findings, judged

GDPR: dict[str, object] = {"compliance": ("gdpr",)}
LABELS = {"purpose": "planning"}


def declared(*names: str, region: str = "eu") -> RuntimeOptions:
    """A server with these recipients."""
    entries = {name: {"region": region, "contract": "DPA-7"} for name in names}
    document = {"allowed_regions": ["eu", "ch"], "recipients": entries}
    return RuntimeOptions(recipients=DeclaredRecipients(parse_recipients(json.dumps(document))))


async def blocked(world: World, why: str, **fields: object) -> None:
    """The run is stopped by stage 11, before anything left."""
    run = await world.run(policy=GDPR, labels=LABELS, **fields)

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "tool_permission")
    assert why in (run.reason or "")
    assert world.provider.requests == []


async def test_a_declared_model_is_asked_and_named() -> None:
    """With its region and the contract, in each step."""
    world = make_world(options=declared("model:fake"))
    run = await world.run(policy=GDPR, labels=LABELS)
    report = await judged(world, run)
    (told,) = [result.evidence for result in report.results if result.control.id == "gdpr.transfers"]

    assert run.status is RunStatus.COMPLETED
    assert "gdpr.transfers" in findings(report, Finding.PASS)
    assert told == "handed to: model:fake (eu, DPA-7)"


async def test_what_is_not_declared_gets_nothing() -> None:
    """The refusal says what to declare; the pre-flight finds it."""
    world = make_world(options=declared("model:other"))
    await blocked(world, "declare model:fake in MESHFLOW_RECIPIENTS_FILE")
    check = await world.runtime.commands.check_run.execute(ALICE, RunRequest(task="x", policy=GDPR, labels=LABELS))

    assert [(v.field, v.stage) for v in check.violations] == [("policy.compliance", "tool_permission")]


async def test_a_region_that_is_not_allowed_gets_nothing() -> None:
    """Declared or not."""
    await blocked(make_world(options=declared("model:fake", region="us")), "in region us, and data may go to ch, eu")


async def test_production_without_declarations_hands_nothing_out() -> None:
    """In trials it passes, and the report does not claim that anybody was declared."""
    await blocked(make_world(options=RuntimeOptions(production=True)), "model:fake is none")
    world = make_world()
    run = await world.run(policy=GDPR, labels=LABELS)

    assert run.status is RunStatus.COMPLETED
    assert "gdpr.transfers" in findings(await judged(world, run), Finding.NOT_EVIDENCED)


async def test_other_profiles_ask_for_no_recipients() -> None:
    """The entries are as before."""
    world = make_world(options=declared("model:other"))
    run = await world.run(policy={"compliance": ("sox",)})

    assert run.status is RunStatus.COMPLETED
    assert all("recipients" not in entry.facts for entry in await world.entries(run.run_id))


@pytest.mark.parametrize(
    ("tool", "arguments", "recipient"),
    [("echo", "{text: hi}", None), ("look", "{topic: hi}", "tool:look"), ("mail", "{text: hi}", "tool:mail")],
)
async def test_a_tool_that_reaches_outside_is_a_recipient(tool: str, arguments: str, recipient: str | None) -> None:
    """One that says nothing of where its results come from counts as such."""
    text = f"name: w\nentry: t\nnodes:\n  t: {{kind: tool, tool: {tool}, arguments: {arguments}}}\n"
    undeclared, application = make_world(options=declared("model:fake"), tools=Application().registry()), Application()
    run = await undeclared.run(policy=GDPR, labels=LABELS, workflow_yaml=text)
    world = make_world(options=declared(recipient or "model:fake"), tools=application.registry())
    done = await world.run(policy=GDPR, labels=LABELS, workflow_yaml=text)
    named = (await step(world, done.run_id)).facts["recipients"]

    assert run.status is (RunStatus.BLOCKED if recipient else RunStatus.COMPLETED)
    assert done.status is RunStatus.COMPLETED
    assert named == ([{"name": recipient, "region": "eu", "contract": "DPA-7"}] if recipient else [])


async def test_peers_that_are_not_declared_are_not_asked() -> None:
    """Also when the declared one is gone: the step fails rather than go to another."""
    mesh = FakeMesh.of(build=GONE, marco=answer())
    world = make_world(options=declared("peer:build.ai"), mesh=MeshAccess(mesh, mesh))
    policy = {**GDPR, "circuit_breaker": {"max_retries": 0}}
    run = await world.run(policy=policy, labels=LABELS, workflow_yaml=flow())

    assert set(mesh.asked) == {"build.ai"}
    assert run.status is not RunStatus.COMPLETED


async def test_a_mesh_without_a_declared_peer_is_refused() -> None:
    """Nobody is asked."""
    mesh = FakeMesh.of(build=answer(), marco=answer())
    world = make_world(options=declared("peer:other.ai"), mesh=MeshAccess(mesh, mesh))
    await blocked(world, "peer:build.ai is none", workflow_yaml=flow())

    assert mesh.asked == []


async def test_a_peer_that_was_not_among_the_recipients_fails_the_control() -> None:
    """The entry names the peer that took the step."""
    mesh = FakeMesh.of(build=answer())
    world = make_world(options=declared("peer:build.ai"), mesh=MeshAccess(mesh, mesh))
    run = await world.run(policy=GDPR, labels=LABELS, workflow_yaml=flow())
    report = await judged(world, run)
    entries = [
        e._replace(facts={**e.facts, "recipients": []}) if "peer" in e.facts else e
        for e in await world.entries(run.run_id)
    ]
    (result,) = [
        r for r in evaluate("gdpr", RunEvidence(entries, report.chain, STAGE_NAMES)) if r.control.id == "gdpr.transfers"
    ]

    assert "gdpr.transfers" in findings(report, Finding.PASS)
    assert result.finding is Finding.FAIL


def test_a_host_is_a_recipient_by_its_name() -> None:
    """Whatever stands around it in the URL."""
    node, action = Node("h", NodeKind.HTTP), Action("http", None, {"url": "https://u:p@API.Example.com:8443/x?y=z"})

    assert destinations(node, action, RiskTier.EXTERNAL_IO, "fake") == ("host:api.example.com",)


async def test_the_offline_model_is_no_recipient() -> None:
    """It answers inside the server."""
    provider = FakeProvider()
    provider.name = "mock"
    world = make_world(provider, options=declared("model:other"))
    run = await world.run(policy=GDPR, labels=LABELS)

    assert "gdpr.transfers" in findings(await judged(world, run), Finding.PASS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no", "is not JSON"),
        ("[]", "exactly"),
        ('{"allowed_regions": [], "recipients": {}}', "at least one"),
        ('{"allowed_regions": ["eu"], "recipients": []}', "recipients must be an object"),
        ('{"allowed_regions": ["eu"], "recipients": {"anthropic": {"region": "eu", "contract": "c"}}}', "KIND:NAME"),
        ('{"allowed_regions": ["eu"], "recipients": {"model:x": {"region": "eu"}}}', "recipients.model:x: exactly"),
        ('{"allowed_regions": ["eu"], "recipients": {"model:x": {"region": "eu", "contract": " "}}}', "each a text"),
    ],
)
def test_a_file_that_cannot_be_used_keeps_the_server_from_starting(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is wrong, and where."""
    file = tmp_path / "recipients.json"
    file.write_text(text)
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_RECIPIENTS_FILE", str(file))
    with pytest.raises(ConfigurationError, match="MESHFLOW_RECIPIENTS_FILE") as refused:
        Settings.load()

    assert told in str(refused.value)


async def test_a_changed_declaration_holds_from_the_next_step_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the server reads the file again: who is struck off gets nothing more, and a file that cannot be read changes nothing."""
    monkeypatch.delenv("MESHFLOW_MOCK", raising=False)
    path = tmp_path / "recipients.json"
    entry = {"region": "eu", "contract": "DPA-7"}
    path.write_text(json.dumps({"allowed_regions": ["eu"], "recipients": {"model:fake": entry}}))
    settings = Settings(recipients_file=path)
    options = RuntimeOptions(recipients=DeclaredRecipients(settings.recipients))
    (watched,) = declared_files(settings, options.recipients)
    world = make_world(options=options)
    assert (await world.run(policy=GDPR, labels=LABELS)).status is RunStatus.COMPLETED
    world.provider.requests.clear()

    path.write_text("{")
    watched.look()
    assert (await world.run(policy=GDPR, labels=LABELS)).status is RunStatus.COMPLETED
    world.provider.requests.clear()

    path.write_text(json.dumps({"allowed_regions": ["eu"], "recipients": {"model:other": entry}}))
    watched.look()
    await blocked(world, "model:fake")
