"""Every field of the policy, down to the nested ones, is held; and with its enforcement removed the same probe notices."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.policy import Policy, PolicyMode, RiskTier, TimeoutAction
from meshflow_grpc.engine import gate_expiry, gates
from meshflow_grpc.engine.executor import RunExecutor
from meshflow_grpc.governance import floors
from meshflow_grpc.governance.detection.finding import ScanResult
from meshflow_grpc.governance.learning import Margin
from meshflow_grpc.governance.session_budget import SessionShare
from meshflow_grpc.kernel import kernel, model_attempts
from meshflow_grpc.kernel.stages.budget_check import BudgetCheck
from meshflow_grpc.kernel.stages.compliance_profile import ComplianceProfile
from meshflow_grpc.kernel.stages.input_guardrails import InputGuardrails
from meshflow_grpc.kernel.stages.output_guardrails import OutputGuardrails
from meshflow_grpc.kernel.stages.policy_evaluation import PolicyEvaluation
from meshflow_grpc.kernel.stages.risk_classification import RiskClassification
from meshflow_grpc.kernel.stages.sensitive_data_scan import SensitiveDataScan
from meshflow_grpc.kernel.stages.tool_permission import ToolPermission
from meshflow_grpc.storage.sqlite import migrate
from tests.unit.engine import policy_probes as probes
from tests.unit.engine.conftest import make_world
from tests.unit.engine.policy_probes import blocked, breaker_with, completes, expired, gated, ignoring, passing, patched

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.engine.policy_probes import Mutant, Probe


@dataclass(frozen=True)
class Case:
    """A field by its path, what holds while it is enforced, and the mutant that enforces it no more."""

    field: str
    probe: Probe
    mutant: Mutant

    def __str__(self) -> str:
        return self.field


EVENTS = {"enabled": True, "tier_threshold": RiskTier.EXTERNAL_IO}
FACTS, MIGRATIONS = kernel.approval_facts, migrate.migrations


def _patient(step: object, now: str) -> object:
    """Approvals that live as long as by default, whatever the policy says."""
    run = step.run  # type: ignore[attr-defined]
    human = dataclasses.replace(run.policy.human_in_loop, timeout_s=Policy().human_in_loop.timeout_s)
    run = dataclasses.replace(run, policy=dataclasses.replace(run.policy, human_in_loop=human))
    return FACTS(dataclasses.replace(step, run=run), now)  # type: ignore[type-var]


def _unguarded(_: object, state: object) -> object:
    state.scan = ScanResult()  # type: ignore[attr-defined]
    return state


CASES = (
    Case(
        "mode",
        completes({"mode": PolicyMode.REGULATED}, lambda run: run.policy["scrub_pii"] is True),
        patched(floors, "MODE_FLOORS", {mode: {} for mode in PolicyMode}),
    ),
    Case("budget_usd", blocked("budget_check", {"budget_usd": 0.0}), passing(BudgetCheck)),
    Case("budget_tokens", blocked("budget_check", {"budget_tokens": 0}), passing(BudgetCheck)),
    Case("max_steps", blocked("budget_check", {"max_steps": 1}), passing(BudgetCheck)),
    Case("timeout_s", probes.run_times_out, patched(RunExecutor, "_out_of_time", lambda _: None)),
    Case("step_timeout_s", probes.step_times_out, patched(model_attempts, "attempt_timeout_s", lambda _: 0.0)),
    Case(
        "enable_guardian",
        blocked("input_guardrails", {"mode": PolicyMode.DEV, "enable_guardian": True}, probes.INJECTION),
        patched(InputGuardrails, "apply", _unguarded),
    ),
    Case(
        "enable_uncertainty",
        blocked("output_guardrails", {"enable_uncertainty": True}),
        ignoring(OutputGuardrails, "enable_uncertainty"),
    ),
    Case(
        "enable_environmental",
        blocked("budget_check", {"enable_environmental": True, "carbon_budget_g": 0.0}, workflow_yaml=probes.ONE),
        ignoring(BudgetCheck, "enable_environmental"),
    ),
    Case(
        "carbon_budget_g",
        blocked("budget_check", {"enable_environmental": True, "carbon_budget_g": 1e-6}, workflow_yaml=probes.ONE),
        passing(BudgetCheck),
    ),
    Case(
        "enable_cross_run_learning",
        probes.learned_margin_is_reserved,
        patched(Margin, "raised", lambda _, tokens_in, tokens_out: (tokens_in, tokens_out)),
    ),
    Case("immutable_audit", probes.rows_stay, patched(migrate, "migrations", lambda: MIGRATIONS()[:3])),
    Case("compliance", blocked("compliance_profile", {"compliance": ("gdpr",)}), passing(ComplianceProfile)),
    Case("circuit_breaker.max_retries", probes.no_retry, patched(model_attempts, "retries_of", lambda _: 2)),
    Case(
        "circuit_breaker.failure_threshold",
        probes.opens_at_once,
        breaker_with("record_failure", failure_threshold=5),
    ),
    Case(
        "circuit_breaker.failure_window_s",
        probes.old_failures_are_forgotten,
        breaker_with("record_failure", failure_window_s=60.0),
    ),
    Case(
        "circuit_breaker.half_open_after_s",
        probes.stays_open_so_long,
        breaker_with("state", half_open_after_s=30.0),
    ),
    Case("human_in_loop.enabled", gated(EVENTS), ignoring(RiskClassification, "human_in_loop.enabled")),
    Case("human_in_loop.tier_threshold", gated(EVENTS), ignoring(RiskClassification, "human_in_loop.tier_threshold")),
    Case(
        "human_in_loop.timeout_s",
        expired(probes.RunStatus.REJECTED),
        patched(kernel, "approval_facts", _patient),
    ),
    Case(
        "human_in_loop.on_timeout",
        expired(probes.RunStatus.COMPLETED, on_timeout=TimeoutAction.APPROVE),
        patched(gate_expiry, "_human", lambda run: {**run.policy["human_in_loop"], "on_timeout": "reject"}),
    ),
    Case(
        "human_in_loop.approval_webhook",
        probes.unsigned_webhooks_are_refused,
        patched(probes, "make_world", lambda: make_world(options=RuntimeOptions(allow_webhooks=True))),
    ),
    Case("human_in_loop.approvers", probes.only_the_named_decide, patched(gates, "why_not", lambda *_: None)),
    Case(
        "allowed_tools",
        blocked("tool_permission", {"allowed_tools": ("look",)}, workflow_yaml=probes.PAY),
        ignoring(ToolPermission, "allowed_tools"),
    ),
    Case(
        "denied_tools",
        blocked("tool_permission", {"denied_tools": ("pay",)}, workflow_yaml=probes.PAY),
        ignoring(ToolPermission, "denied_tools"),
    ),
    Case("rules", blocked("policy_evaluation", {"rules": (probes.DENY_WRITER,)}), ignoring(PolicyEvaluation, "rules")),
    Case(
        "scrub_pii",
        probes.agents_see_placeholders,
        ignoring(SensitiveDataScan, "scrub_pii"),
    ),
    Case(
        "max_output_chars",
        blocked("output_guardrails", {"max_output_chars": 3}),
        ignoring(OutputGuardrails, "max_output_chars"),
    ),
    Case(
        "session_budget_usd",
        blocked("budget_check", {"session_budget_usd": 0.0}, session_id="s"),
        patched(SessionShare, "_short", lambda *_: None),
    ),
    Case(
        "denied_data",
        blocked("sensitive_data_scan", {"denied_data": ("pii",)}, probes.MAIL),
        ignoring(SensitiveDataScan, "denied_data"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_field_is_held(case: Case, tmp_path: Path) -> None:
    """As documented."""
    assert await case.probe(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_without_its_enforcement_the_probe_notices(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe that could not fail would prove nothing."""
    case.mutant(monkeypatch)

    assert not await case.probe(tmp_path)


def test_every_field_has_a_case() -> None:
    """Nested ones by their path."""
    expected: set[str] = set()
    for field in dataclasses.fields(Policy):
        value = getattr(Policy(), field.name)
        nested = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
        expected |= {f"{field.name}.{inner.name}" for inner in nested} or {field.name}

    assert {case.field for case in CASES} == expected
    assert len(CASES) == len(expected)
