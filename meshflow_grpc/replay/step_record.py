"""Steps that a program records by hand: what it says of one, and the entries and the run that this makes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import RECORDED_WORKFLOW, Run, RunStatus
from meshflow_grpc.domain.usage import MICRO_PER_GRAM, Usage, nano_usd
from meshflow_grpc.ports.storage import RunChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal

VERDICTS: Final = {
    "committed": EntryKind.STEP_COMMITTED,
    "denied": EntryKind.STEP_DENIED,
    "failed": EntryKind.STEP_FAILED,
    "cancelled": EntryKind.STEP_CANCELLED,
}
ENDS: Final = frozenset(status.value for status in RunStatus if status.ended)
_NO_POLICY_DIGEST: Final = "0" * 64
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step as the program that took it tells it; no stage of the kernel saw it, and its entry says so.

    ``verdict`` is committed, denied, failed or cancelled; the last three may say ``blocked_by`` and ``reason``. ``metadata`` is
    JSON and kept as a payload, beside ``input``. ``step_id`` and ``attempt`` make writing idempotent; without a ``step_id`` the
    step's place counts.
    """

    run_id: str
    node_id: str
    output: str = ""
    input: str = ""
    verdict: str = "committed"
    step_id: str = ""
    attempt: int = 1
    role: str = ""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    carbon_g: float = 0.0
    latency_ms: int = 0
    blocked_by: str | None = None
    reason: str | None = None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InvalidRequestError naming every field that is wrong."""
        problems = [
            FieldViolation(name, "must not be empty") for name in ("run_id", "node_id") if not getattr(self, name)
        ]
        if self.verdict not in VERDICTS:
            problems.append(FieldViolation("verdict", f"must be one of {', '.join(VERDICTS)}, got {self.verdict!r}"))
        if self.attempt < 1:
            problems.append(FieldViolation("attempt", "must be at least 1"))
        counted = ("input_tokens", "output_tokens", "cost_usd", "carbon_g", "latency_ms")
        problems += [FieldViolation(name, "must not be negative") for name in counted if not getattr(self, name) >= 0]
        if problems:
            raise InvalidRequestError.of(*problems)

    @property
    def usage(self) -> Usage:
        """What the step adds to the run's totals."""
        carbon = round(self.carbon_g * MICRO_PER_GRAM)
        steps = 1 if self.verdict in ("committed", "failed") else 0
        return Usage(self.input_tokens, self.output_tokens, nano_usd(self.cost_usd), carbon, steps)


def recorded_run(run_id: str, principal: Principal, now: str) -> tuple[Run, EntryDraft]:
    """A run that is recorded by hand, and its first entry. No server executes it."""
    tenant_id = principal.tenant_id
    run = Run(run_id, tenant_id, RECORDED_WORKFLOW, RunStatus.RUNNING, _NO_POLICY_DIGEST, {}, now, now, principal.id)
    facts: dict[str, JsonValue] = {
        "actor": _actor(principal),
        "policy_digest": _NO_POLICY_DIGEST,
        "recorded": True,
        "workflow": RECORDED_WORKFLOW,
    }
    return run, EntryDraft(run_id, tenant_id, EntryKind.RUN_STARTED, now, facts=facts)


def recorded_step(record: StepRecord, principal: Principal, number: int, now: str) -> tuple[EntryDraft, RunChange]:
    """The entry of a step, the ``number``-th of its run, and what it adds to the run."""
    usage = record.usage
    facts: dict[str, JsonValue] = {
        "actor": _actor(principal),
        "carbon_ug": usage.carbon_ug,
        "cost_nano_usd": usage.cost_nano_usd,
        "iteration": 1,
        "labels": [],
        "latency_ms": record.latency_ms,
        "policy_digest": _NO_POLICY_DIGEST,
        "recorded": True,
        "role": record.role,
        "step": number,
        "tokens": {"input": usage.input_tokens, "output": usage.output_tokens},
        "verdict": record.verdict,
    }
    if record.model:
        facts["model"] = record.model
    if record.blocked_by is not None or record.verdict == "denied":
        facts["blocked_by"] = record.blocked_by or ""
    told = {"output": record.output} if record.verdict == "committed" else {"message": record.reason or ""}
    draft = EntryDraft(
        record.run_id,
        principal.tenant_id,
        VERDICTS[record.verdict],
        now,
        record.node_id,
        record.step_id or f"{record.node_id}#{number}",
        record.attempt,
        facts,
        _json({"input": record.input, "metadata": dict(record.metadata)}),
        _json(told),
    )
    return draft, RunChange(usage=usage)


def _actor(principal: Principal) -> dict[str, JsonValue]:
    return {"principal": principal.id, "auth": principal.method}
