"""Conformance passes on the kernel as it is, and names the scenario that a broken one fails."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from meshflow_grpc.cli.root import app
from meshflow_grpc.conformance.faces import open_face
from meshflow_grpc.conformance.runner import results
from meshflow_grpc.conformance.scenarios import LEVELS
from meshflow_grpc.kernel import kernel
from meshflow_grpc.kernel.pipeline import FIFTEEN_STAGES
from meshflow_grpc.kernel.stages.audit_ledger import AuditLedger
from meshflow_grpc.storage.memory.storage import MemoryStorage


async def failing(level: int = 4) -> set[str]:
    """Names of the scenarios that fail in process."""
    async with open_face("python", "") as face:
        return {result.scenario async for result in results(face, level) if not result.passed}


async def test_the_kernel_as_it_is_conforms() -> None:
    """Every scenario of every level passes."""
    assert await failing(5) == set()


ALLOWING = {
    "budget_check": {"a_budget_blocks_before_spending", "a_step_limit_keeps_the_output"},
    "policy_evaluation": {"a_rule_denies"},
    "input_guardrails": {"an_injection_is_denied"},
    "sensitive_data_scan": {"personal_data_is_masked"},
    "risk_classification": {"a_gate_waits_and_goes_on", "a_rejection_ends_the_run"},
    "tool_permission": {"a_denied_tool_is_not_called"},
    "output_guardrails": {"a_long_output_is_denied"},
}


def allow(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a stage let everything pass."""
    stage: Any = next(stage for stage in FIFTEEN_STAGES if stage.name == name)
    real = stage.apply

    def passes(self: object, state: Any) -> Any:
        result = real(self, state) if name == "output_guardrails" else state
        if name == "output_guardrails" and not hasattr(result, "step"):
            state.output = state.execution.output
            return state
        return result

    monkeypatch.setattr(stage, "apply", passes)


@pytest.mark.parametrize("stage", ALLOWING)
async def test_a_stage_that_allows_everything_is_found(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the scenarios of what it should refuse, and by no other stage's."""
    allow(stage, monkeypatch)
    found = await failing()

    assert found >= ALLOWING[stage]
    others = set().union(*(names for name, names in ALLOWING.items() if name != stage))
    assert stage == "input_guardrails" or not found & others


@pytest.mark.parametrize("removed", ["tenant_scoping", "compliance_profile", "taint_propagation"])
async def test_a_stage_taken_out_is_found(removed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of fourteen."""
    stages = tuple(stage for stage in FIFTEEN_STAGES if stage.name != removed)
    names = tuple(stage.name for stage in stages)
    monkeypatch.setattr(kernel, "FIFTEEN_STAGES", stages)
    monkeypatch.setattr(kernel, "STAGE_NAMES", names)
    allowed = [{"stage": name, "decision": "allow"} for name in names]
    monkeypatch.setattr(kernel, "_ALLOWED", tuple(allowed))
    monkeypatch.setattr(kernel, "_ALL_ALLOWED", allowed)
    monkeypatch.setattr(kernel, "_SKIPPED", tuple({"stage": name, "decision": "skip"} for name in names))
    monkeypatch.setattr(kernel, "_EXECUTION", names.index("execution"))
    monkeypatch.setattr(kernel, "_LEDGER", names.index("audit_ledger"))

    assert await failing() == {"fifteen_stages_are_recorded"}


async def test_a_ledger_that_drops_an_entry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second entry is gone: a gap, and a link that leads nowhere."""
    tamper(monkeypatch, lambda entry: None if entry.sequence == 2 else entry)
    assert {"the_ledger_is_whole", "the_chain_is_linked"} <= await failing(1)


async def test_a_chain_that_is_not_linked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry begins anew."""
    tamper(monkeypatch, lambda entry: entry._replace(prev_hash="0" * 64))
    assert await failing(1) == {"the_chain_is_linked"}


async def test_a_record_that_was_edited_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One word of the bytes that the hash covers."""
    tamper(monkeypatch, lambda e: e._replace(record=e.record.replace("run_finished", "run_finishes")))
    assert "hashes_are_those_of_the_records" in await failing(5)


async def test_a_step_without_its_actor_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that does not say who acted."""
    real = AuditLedger.record

    async def forgetful(self: AuditLedger, end: Any) -> Any:
        run = dataclasses.replace(end.state.step.run, agents={})
        step, end.state.step = end.state.step, dataclasses.replace(end.state.step, run=run)
        entry = await real(self, end)
        end.state.step = step
        return entry

    monkeypatch.setattr(AuditLedger, "record", forgetful)
    assert await failing(1) == {"steps_name_who_acted"}


def tamper(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Changes what the store gives back; None drops the entry."""
    real = MemoryStorage.entries

    async def entries(self: MemoryStorage, *args: Any, **options: Any) -> Any:
        changed = (change(entry) for entry in await real(self, *args, **options))
        return tuple(entry for entry in changed if entry is not None)

    monkeypatch.setattr(MemoryStorage, "entries", entries)


def test_the_command_says_what_failed_and_exits_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON on stdout; levels above are left out."""
    allow("policy_evaluation", monkeypatch)
    outcome = CliRunner().invoke(app, ["conformance", "python", "--level", "2", "-o", "json"])
    found = json.loads(outcome.stdout)

    assert outcome.exit_code == 1
    assert [each["scenario"] for each in found if not each["passed"]] == ["a_rule_denies"]
    assert len(found) == sum(map(len, LEVELS[:3]))


def test_the_command_exits_with_zero_when_all_holds() -> None:
    """A table."""
    outcome = CliRunner().invoke(app, ["conformance", "python", "--level", "0"])
    assert outcome.exit_code == 0
    assert "health_answers" in outcome.stdout


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_a_server_that_is_not_there_fails(kind: str) -> None:
    """Port 9 of this machine answers nobody."""
    arguments = ["conformance", kind, "--level", "0", "--target", "127.0.0.1:9"]
    assert CliRunner().invoke(app, arguments).exit_code == 1
