"""What the ledger keeps about a call: its facts, and the intent that is durable before anything is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.policy import RiskTier

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.kernel.state import Step, StepState

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def idempotency_key(step: Step) -> str:
    """The same for every attempt of a step, also after a restart."""
    return f"{step.run.run_id}/{step.step_id}"


def call_facts(step: Step) -> dict[str, JsonValue]:
    """Which tool or function is called, for which agent's step, and what its tool promises."""
    action = step.action
    if action is None:
        return {}
    facts: dict[str, JsonValue] = {"tool" if action.is_tool else "function": action.name}
    if action.parent is not None:
        facts["parent"] = action.parent
        facts["call_id"] = action.call_id
    if action.tool is not None and action.tool.idempotent:
        facts["idempotent"] = True
    return facts


def may_repeat(state: StepState) -> bool:
    """Whether a step that may have acted already can be executed again by itself.

    An agent's own model call changes nothing outside: its tools are steps of their own.
    """
    if state.risk >= RiskTier.IRREVERSIBLE:
        return False
    action = state.step.action
    return state.risk < RiskTier.EXTERNAL_IO or action is None or (action.tool is not None and action.tool.idempotent)


def input_payload(state: StepState) -> str:
    """What went into the step, as the ledger keeps it: with scrub_pii what the step was given in place of sensitive data."""
    if state.masked is None:
        return state.step.input_json
    return _json({"prompt" if state.step.action is None else "call": state.prompt})


def intent_draft(state: StepState, now: str) -> EntryDraft:
    """The step_intent entry of a step that is about to act."""
    step = state.step
    run = step.run
    facts: dict[str, JsonValue] = {
        "actor": {"principal": run.principal.id, "auth": run.principal.method},
        "idempotency_key": idempotency_key(step),
        "iteration": step.iteration,
        "policy_digest": run.policy_digest,
        "risk": state.risk.label,
        "step": step.number,
        **call_facts(step),
    }
    return EntryDraft(
        run_id=run.run_id,
        tenant_id=run.tenant_id,
        kind=EntryKind.STEP_INTENT,
        time=now,
        node_id=step.node.id,
        step_id=step.step_id,
        attempt=step.epoch,
        facts=facts,
        input=input_payload(state),
    )
