"""A ledger entry as the event a stream shows. One entry makes at most one event, so a stream can be replayed at any age."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.event import BASIC_EVENTS, EventType, RunEvent
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import EventView
from meshflow_grpc.domain.usage import grams, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.ledger_entry import LedgerEntry

    Facts = Mapping[str, object]


def event_of(entry: LedgerEntry) -> RunEvent | None:
    """The event of an entry, or None for kinds that streams do not show."""
    make = _MAKERS.get(entry.kind)
    return make(entry) if make else None


def visible(event: RunEvent, view: EventView) -> bool:
    """Whether a view shows the event."""
    return view is EventView.FULL or event.event_type in BASIC_EVENTS


def output_text(payload: str | None) -> str | None:
    """The text of an output payload; None when it is absent or was erased."""
    return _output(_said(payload))


def message_of(entry: LedgerEntry) -> str | None:
    """Why a step did not commit, in words; None when it did, or when that was erased."""
    return _message(entry, _said(entry.output))


def _said(payload: str | None) -> Facts:
    """What an output payload says; nothing when it was erased."""
    document = json.loads(payload) if payload is not None else None
    return document if isinstance(document, dict) else {}


def _output(said: Facts) -> str | None:
    text = said.get("output")
    return text if isinstance(text, str) else None


def _message(entry: LedgerEntry, said: Facts) -> str | None:
    """Ledgers of schema 4 had messages and reasons in the facts."""
    return cast("str | None", said.get("message") or entry.facts.get("message"))


def _run_started(entry: LedgerEntry) -> RunEvent:
    return RunEvent(EventType.RUN_STARTED, entry.run_id, entry.sequence, entry.time, step=0)


def _step_ended(entry: LedgerEntry) -> RunEvent:
    facts = cast("Facts", entry.facts)
    tokens = cast("Mapping[str, int]", facts["tokens"])
    confidence = cast("int | None", facts.get("confidence_ppm"))
    carbon = cast("int", facts["carbon_ug"])
    completed = entry.kind is EntryKind.STEP_COMMITTED and "parent" not in facts
    said = _said(entry.output)
    return RunEvent(
        EventType.AGENT_COMPLETED if completed else EventType.NODE_COMPLETED,
        entry.run_id,
        entry.sequence,
        entry.time,
        agent_id=entry.node_id,
        node_id=entry.node_id,
        role=cast("str", facts["role"]) or None,
        step=cast("int", facts["step"]),
        tokens=tokens["input"] + tokens["output"],
        cost_usd=usd(cast("int", facts["cost_nano_usd"])),
        carbon_g=grams(carbon) if carbon else None,
        uncertainty=None if confidence is None else round(1 - confidence / 1_000_000, 6),
        output=_output(said),
        reason=_message(entry, said),
        status=cast("str", facts["verdict"]),
        tool=cast("str | None", facts.get("tool")),
    )


def _step_denied(entry: LedgerEntry) -> RunEvent:
    facts = cast("Facts", entry.facts)
    return RunEvent(
        EventType.POLICY_VIOLATION,
        entry.run_id,
        entry.sequence,
        entry.time,
        agent_id=entry.node_id,
        node_id=entry.node_id,
        role=cast("str", facts["role"]) or None,
        step=cast("int", facts["step"]),
        blocked_by=cast("str", facts["blocked_by"]),
        reason=message_of(entry),
        tool=cast("str | None", facts.get("tool")),
    )


def _loop_iterated(entry: LedgerEntry) -> RunEvent:
    facts = cast("Facts", entry.facts)
    return RunEvent(
        EventType.LOOP_ITERATION,
        entry.run_id,
        entry.sequence,
        entry.time,
        node_id=entry.node_id,
        loop_edge=cast("str", facts["edge"]),
        loop_iteration=cast("int", facts["iteration"]),
        loop_max=cast("int", facts["max"]),
        reason="loop_exhausted" if facts["exhausted"] else None,
    )


def _run_paused(entry: LedgerEntry) -> RunEvent:
    asked = cast("list[Mapping[str, str]]", entry.facts["approvals"])[0]
    return RunEvent(
        EventType.GATE_PAUSED,
        entry.run_id,
        entry.sequence,
        entry.time,
        node_id=asked["node_id"],
        reason=cast("Mapping[str, str]", _said(entry.output).get("reasons") or {}).get(
            asked["approval_id"], asked.get("reason")
        ),
        approval_id=asked["approval_id"],
        approval_expire_time=asked["expire_time"],
    )


def _gate_decided(entry: LedgerEntry) -> RunEvent:
    facts = cast("Facts", entry.facts)
    return RunEvent(
        EventType.GATE_RESUMED,
        entry.run_id,
        entry.sequence,
        entry.time,
        node_id=entry.node_id,
        reason=f"{facts['decision']} by {facts['reviewer']}",
        status="approved" if facts["decision"] == "approve" else "rejected",
        approval_id=cast("str", facts["approval_id"]),
    )


def _run_finished(entry: LedgerEntry) -> RunEvent:
    facts = cast("Facts", entry.facts)
    tokens = cast("Mapping[str, int]", facts["tokens"])
    said = _said(entry.output)
    return RunEvent(
        EventType.RUN_COMPLETED,
        entry.run_id,
        entry.sequence,
        entry.time,
        tokens=tokens["input"] + tokens["output"],
        cost_usd=usd(cast("int", facts["cost_nano_usd"])),
        output=_output(said) or "",
        blocked_by=cast("str | None", facts.get("blocked_by")),
        reason=cast("str | None", said.get("reason") or facts.get("reason")),
        status=cast("str", facts["status"]),
    )


_MAKERS: dict[EntryKind, Callable[[LedgerEntry], RunEvent]] = {
    EntryKind.RUN_STARTED: _run_started,
    EntryKind.STEP_COMMITTED: _step_ended,
    EntryKind.STEP_FAILED: _step_ended,
    EntryKind.STEP_CANCELLED: _step_ended,
    EntryKind.STEP_DENIED: _step_denied,
    EntryKind.LOOP_ITERATED: _loop_iterated,
    EntryKind.RUN_PAUSED: _run_paused,
    EntryKind.GATE_DECIDED: _gate_decided,
    EntryKind.RUN_FINISHED: _run_finished,
}
