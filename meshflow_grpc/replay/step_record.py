"""Steps that a program records by hand: what it says of one, and the entries and the run that this makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import NO_POLICY_DIGEST, RECORDED_WORKFLOW, Run, RunStatus
from meshflow_grpc.domain.usage import MICRO_PER_GRAM, Usage, nano_usd
from meshflow_grpc.ports.storage import RunChange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal

VERDICTS: Final = {
    "committed": EntryKind.STEP_COMMITTED,
    "denied": EntryKind.STEP_DENIED,
    "failed": EntryKind.STEP_FAILED,
    "cancelled": EntryKind.STEP_CANCELLED,
}
ENDS: Final = frozenset(status.value for status in RunStatus if status.ended)
_MAX_ID_CHARS: Final = 128
_COUNTS: Final = dict.fromkeys(("input_tokens", "output_tokens", "latency_ms"), 2**53 - 1)
_AMOUNTS: Final = {"cost_usd": 1e6, "carbon_g": 1e9}
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


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
        problems = [*self._wrong_texts(), *self._wrong_numbers()]
        if problems:
            raise InvalidRequestError.of(*problems)

    def _wrong_texts(self) -> Iterator[FieldViolation]:
        for name in ("run_id", "node_id", "step_id"):
            value = getattr(self, name)
            if not value and name != "step_id":
                yield FieldViolation(name, "must not be empty")
            elif not isinstance(value, str) or len(value) > _MAX_ID_CHARS or not value.isprintable():
                yield FieldViolation(name, f"must have at most {_MAX_ID_CHARS} printable characters")
        if self.verdict not in VERDICTS:
            yield FieldViolation("verdict", f"must be one of {', '.join(VERDICTS)}, got {self.verdict!r}")
        metadata: object = self.metadata
        if not isinstance(metadata, Mapping):
            yield FieldViolation("metadata", f"must be an object, got {type(metadata).__name__}")
            return
        for name, value in (("input", self.input), ("output", self.output), ("metadata", dict(metadata))):
            try:
                _json(value)
            except (TypeError, ValueError, RecursionError) as error:
                yield FieldViolation(name, f"must be JSON: {error}")

    def _wrong_numbers(self) -> Iterator[FieldViolation]:
        attempt: object = self.attempt
        if isinstance(attempt, bool) or not isinstance(attempt, int) or attempt < 1:
            yield FieldViolation("attempt", "must be a whole number, at least 1")
        for name, most in (*_COUNTS.items(), *_AMOUNTS.items()):
            value = getattr(self, name)
            kind = int if name in _COUNTS else int | float
            if isinstance(value, bool) or not isinstance(value, kind):
                yield FieldViolation(name, f"must be a number, got {type(value).__name__}")
            elif not 0 <= value <= most:
                yield FieldViolation(name, f"must be between 0 and {most:g}, got {value}")

    @property
    def usage(self) -> Usage:
        """What the step adds to the run's totals."""
        carbon = round(self.carbon_g * MICRO_PER_GRAM)
        steps = 1 if self.verdict in ("committed", "failed") else 0
        return Usage(self.input_tokens, self.output_tokens, nano_usd(self.cost_usd), carbon, steps)


def recorded_run(run_id: str, principal: Principal, now: str) -> tuple[Run, EntryDraft]:
    """A run that is recorded by hand, and its first entry. No server executes it."""
    tenant_id = principal.tenant_id
    run = Run(run_id, tenant_id, RECORDED_WORKFLOW, RunStatus.RUNNING, NO_POLICY_DIGEST, {}, now, now, principal.id)
    facts: dict[str, JsonValue] = {
        "actor": _actor(principal),
        "policy_digest": NO_POLICY_DIGEST,
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
        "policy_digest": NO_POLICY_DIGEST,
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
