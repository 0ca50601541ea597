"""denied_data: what the policy does not let through enters no step and leaves none, masked or not."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from tests.fakes.providers import FakeProvider
from tests.fakes.tools import Application
from tests.unit.engine.conftest import ALICE, make_world

MAIL = "Write to jane.doe@example.org, please."
NO_PII = {"denied_data": ("pii",)}
VAULT = (
    "name: leak\nentry: look\nnodes:\n  look: {kind: tool, tool: vault}\n  tell: {kind: agent}\nedges: [look -> tell]\n"
)


@pytest.mark.parametrize("scrub", [False, True])
async def test_an_input_with_such_data_reaches_no_agent(scrub: bool) -> None:
    """Masking is no way round: it may miss some."""
    world = make_world()
    run = await world.run(MAIL, policy={**NO_PII, "scrub_pii": scrub})

    assert (run.status, run.blocked_by, world.provider.requests) == (RunStatus.BLOCKED, "sensitive_data_scan", [])
    assert "the input holds pii data" in (run.reason or "")


async def test_an_output_with_such_data_is_not_released() -> None:
    """Nor does the next node see it."""
    world = make_world(FakeProvider({"researcher": [MAIL]}))
    run = await world.run(policy=NO_PII)

    assert (run.status, run.blocked_by, run.output) == (RunStatus.BLOCKED, "output_guardrails", "")
    assert [r.agent_id for r in world.provider.requests] == ["researcher"]


async def test_what_a_tool_labelled_counts_without_being_recognised() -> None:
    """A secret looks like any text."""
    world = make_world(tools=Application().registry())
    free = await world.run(workflow_yaml=VAULT)
    held = await world.run(workflow_yaml=VAULT, policy={"denied_data": ("secret",)})
    denied = [e.node_id for e in await world.entries(held.run_id) if e.kind is EntryKind.STEP_DENIED]

    assert free.status is RunStatus.COMPLETED
    assert (held.status, held.blocked_by, denied) == (RunStatus.BLOCKED, "sensitive_data_scan", ["tell"])


async def test_other_classes_pass() -> None:
    """Only what is named is held back."""
    world = make_world()

    assert (await world.run(MAIL, policy={"denied_data": ("phi", "secret")})).status is RunStatus.COMPLETED


async def test_a_pre_flight_says_so() -> None:
    """With the stage and the remedy."""
    check = await make_world().runtime.commands.check_run.execute(ALICE, RunRequest(task=MAIL, policy=NO_PII))

    (violation,) = check.violations
    assert (violation.field, violation.stage) == ("task", "sensitive_data_scan")
    assert violation.remedy == "remove it from the input, or pii from policy.denied_data"


def test_classes_come_as_words_or_a_list() -> None:
    """And a misspelt one names its neighbour."""
    for value in ("secret,pii", ["secret", "pii"], " PII , secret"):
        assert parse_policy_fields({"denied_data": value})["denied_data"] == ("pii", "secret")
    with pytest.raises(InvalidRequestError, match="did you mean 'secret'"):
        parse_policy_fields({"denied_data": ["secrets"]})
