"""Every tool, with data of every kind, under every policy: what is forbidden is denied before it does anything."""

from __future__ import annotations

import itertools

import pytest

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import Policy, RiskTier
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.governance.taint import forbidden
from meshflow_grpc.governance.tool_permission import tool_refusal
from tests.fakes.providers import FakeProvider
from tests.fakes.tools import Application
from tests.unit.engine.conftest import make_world
from tests.unit.engine.test_agents_call_tools_as_steps import agent, calls

SOURCES = {
    "nothing": ([], frozenset[str]()),
    "foreign": ([("look", {"topic": "x"})], frozenset({"untrusted", "external"})),
    "secret": ([("vault", {})], frozenset({"secret"})),
    "both": ([("look", {"topic": "x"}), ("vault", {})], frozenset({"untrusted", "external", "secret"})),
}
TARGETS = {
    "echo": ({"text": "x"}, RiskTier.READ_ONLY),
    "order": ({"item": "x"}, RiskTier.EXTERNAL_IO),
    "mail": ({"text": "x"}, RiskTier.EXTERNAL_IO),
    "pay": ({"amount": 1}, RiskTier.IRREVERSIBLE),
}
POLICIES: dict[str, dict[str, object]] = {
    "open": {},
    "denied": {"denied_tools": ["pay", "mail"]},
    "allowed": {"allowed_tools": ["look", "vault", "echo", "pay"]},
    "both": {"allowed_tools": ["look", "vault", "order", "pay"], "denied_tools": ["pay"]},
    "none": {"allowed_tools": []},
}


def permitted(policy: dict[str, object], name: str) -> bool:
    """What the policy's words mean, said independently of the code under test."""
    if name in policy.get("denied_tools", ()):  # type: ignore[operator]
        return False
    return "allowed_tools" not in policy or name in policy["allowed_tools"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("source", "target", "rules", "tier"),
    [(*c, t) for c in itertools.product(SOURCES, TARGETS, POLICIES) for t in ("node", "loop")],
)
async def test_a_forbidden_call_never_executes_and_a_permitted_one_does(
    source: str, target: str, rules: str, tier: str
) -> None:
    """Through an agent's loop, and from an agent's output to a tool node."""
    reads, labels = SOURCES[source]
    arguments, risk = TARGETS[target]
    policy = POLICIES[rules]
    seen = labels if all(permitted(policy, name) for name, _ in reads) else frozenset[str]()
    seen = frozenset().union(
        *(SOURCES[{"look": "foreign", "vault": "secret"}[n]][1] for n, _ in reads if permitted(policy, n))
    )
    script: list[object] = [calls(*reads)] if reads else []
    script += [calls((target, arguments)), "end"] if tier == "loop" else ["end"]
    workflow = agent("look", "vault", "echo", "order", "mail", "pay")
    if tier == "node":
        given = str(arguments).replace("'", '"')
        workflow += f"  t: {{kind: tool, tool: {target}, arguments: {given}}}\nedges: [a -> t]\n"
    application = Application()
    world = make_world(FakeProvider({"a": script}), tools=application.registry())
    run = await world.run(workflow_yaml=workflow, policy=policy)

    secret = "secret" in seen and risk >= RiskTier.EXTERNAL_IO
    foreign = "untrusted" in seen and risk >= RiskTier.IRREVERSIBLE
    may = permitted(policy, target) and not secret and not foreign
    entry = next(
        e
        for e in await world.entries(run.run_id)
        if e.facts.get("tool") == target and e.kind is not EntryKind.STEP_INTENT
    )
    acted = [e for e in application.effects if e.startswith(target)]

    assert (entry.kind is EntryKind.STEP_COMMITTED) is may
    assert len(acted) == (1 if may and target != "echo" else 0)
    if not may:
        assert entry.facts["blocked_by"] in ("taint_propagation", "tool_permission")
        assert run.status is (RunStatus.BLOCKED if tier == "node" else RunStatus.COMPLETED)


def test_profiles_forbid_more() -> None:
    """Health data does not leave under hipaa; personal data causes nothing irreversible under gdpr."""
    assert forbidden(frozenset({"phi"}), RiskTier.EXTERNAL_IO) is None
    assert forbidden(frozenset({"phi"}), RiskTier.EXTERNAL_IO, ("hipaa",)) == "phi"
    assert forbidden(frozenset({"pii"}), RiskTier.EXTERNAL_IO, ("gdpr",)) is None
    assert forbidden(frozenset({"pii"}), RiskTier.IRREVERSIBLE, ("gdpr",)) == "pii"


def test_denied_wins_and_a_list_of_allowed_tools_excludes_all_others() -> None:
    """Also the empty list."""
    assert tool_refusal(Policy(), "x") is None
    assert tool_refusal(Policy(allowed_tools=()), "x") is not None
    assert tool_refusal(Policy(allowed_tools=("x",), denied_tools=("x",)), "x") is not None
