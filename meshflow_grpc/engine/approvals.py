"""Approvals, read from and written as ledger entries: a step_paused asks, a run_paused waits, a gate_decided answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.approval import Approval, ApprovalStatus, Decision, GrantedApproval
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import PendingApproval
from meshflow_grpc.engine.events import message_of
from meshflow_grpc.governance.emergency import BREAK_GLASS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _terms(entry: LedgerEntry) -> Mapping[str, str]:
    return cast("Mapping[str, str]", entry.facts["approval"])


def pending_of(entry: LedgerEntry) -> PendingApproval:
    """The decision that a step_paused entry asks for."""
    terms = _terms(entry)
    return PendingApproval(terms["approval_id"], entry.node_id, message_of(entry) or "", terms["expire_time"])


def granted_of(entry: LedgerEntry) -> GrantedApproval | None:
    """The approval that a gate_decided entry gives; None when it rejects."""
    facts = cast("Mapping[str, str]", entry.facts)
    if facts["decision"] != Decision.APPROVE:
        return None
    return GrantedApproval(facts["approval_id"], facts["action_digest"], facts["reviewer"], comment_of(entry))


def comment_of(entry: LedgerEntry) -> str:
    """The comment of a gate_decided entry; empty when it was erased."""
    return "" if entry.output is None else cast("str", json.loads(entry.output)["comment"])


def paused_draft(run: Run, waiting: Sequence[PendingApproval], epoch: int, now: str) -> EntryDraft:
    """The run_paused entry: from here on only a human's decision moves the run."""
    asked: list[JsonValue] = [
        {"approval_id": a.approval_id, "expire_time": a.expire_time, "node_id": a.node_id} for a in waiting
    ]
    facts: dict[str, JsonValue] = {"approvals": asked, "policy_digest": run.policy_digest}
    return EntryDraft(
        run.run_id,
        run.tenant_id,
        EntryKind.RUN_PAUSED,
        now,
        waiting[0].node_id,
        f"pause#{epoch}",
        epoch,
        facts,
        output=_json({"reasons": {a.approval_id: a.reason for a in waiting}}),
    )


def decided_draft(
    approval: Approval,
    decision: Decision,
    actor: Mapping[str, JsonValue],
    comment: str,
    now: str,
    emergency: Mapping[str, JsonValue] | None = None,
) -> EntryDraft:
    """The gate_decided entry. Its step and attempt are the paused ones, so that the ledger takes one decision only."""
    facts: dict[str, JsonValue] = {
        "action_digest": approval.action_digest,
        "actor": dict(actor),
        "approval_id": approval.approval_id,
        "decision": decision.value,
        "expired": actor["auth"] == "server",
        "reviewer": actor["principal"],
    }
    if emergency is not None:
        facts[BREAK_GLASS] = dict(emergency)
    return EntryDraft(
        approval.run_id,
        approval.tenant_id,
        EntryKind.GATE_DECIDED,
        now,
        approval.node_id,
        approval.step_id,
        approval.attempt,
        facts,
        output=_json({"comment": comment}),
    )


def approvals_of(run: Run, entries: Iterable[LedgerEntry]) -> tuple[Approval, ...]:
    """All approvals of a run in the order they were asked for."""
    found: dict[str, Approval] = {}
    waited: set[str] = set()
    for entry in entries:
        if entry.kind is EntryKind.STEP_PAUSED:
            approval = _asked(run, entry)
            found[approval.approval_id] = approval
        elif entry.kind is EntryKind.RUN_PAUSED:
            waited = {a["approval_id"] for a in cast("list[Mapping[str, str]]", entry.facts["approvals"])}
            _void(found, waited)
        elif entry.kind is EntryKind.GATE_DECIDED:
            key = cast("str", entry.facts["approval_id"])
            found[key] = _decided(found[key], entry)
    if run.status.ended:
        _void(found, set())
    return tuple(found.values())


def _void(found: dict[str, Approval], waited: set[str]) -> None:
    """What is undecided and not waited for any more will never be decided."""
    for key, approval in found.items():
        if approval.status is ApprovalStatus.PENDING and key not in waited:
            found[key] = replace(approval, status=ApprovalStatus.VOID)


def _asked(run: Run, entry: LedgerEntry) -> Approval:
    terms, facts = _terms(entry), entry.facts
    return Approval(
        approval_id=terms["approval_id"],
        run_id=run.run_id,
        tenant_id=run.tenant_id,
        node_id=entry.node_id,
        step_id=entry.step_id,
        attempt=entry.attempt,
        status=ApprovalStatus.PENDING,
        reason=message_of(entry) or "",
        risk=cast("str", facts["risk"]),
        action_digest=terms["action_digest"],
        input=entry.input,
        requester=run.principal_id,
        create_time=entry.time,
        expire_time=terms["expire_time"],
    )


def _decided(approval: Approval, entry: LedgerEntry) -> Approval:
    return replace(
        approval,
        status=Decision(cast("str", entry.facts["decision"])).status,
        reviewer=cast("str", entry.facts["reviewer"]),
        comment=comment_of(entry),
        decide_time=entry.time,
        break_glass=BREAK_GLASS in entry.facts,
    )
