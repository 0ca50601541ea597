"""Evidence of where data went, and of when it has to be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.governance.run_evidence import ControlResult, Finding, judged
from meshflow_grpc.governance.storage_limit import PAYLOAD_DAYS, kept_until, overdue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.governance.compliance import Control
    from meshflow_grpc.governance.run_evidence import RunEvidence


def transfers(control: Control, evidence: RunEvidence) -> ControlResult:
    """Every executed step names whom it could hand data to, with region and contract, and the peer that took it is one of them."""
    executed = evidence.executed
    unsaid = [entry for entry in executed if "recipients" not in entry.facts]
    elsewhere = [entry for entry in executed if entry not in unsaid and not _within(entry)]
    if not executed or (unsaid and not elsewhere):
        absent = "the run took no step" if not executed else "the entries do not say whom data was handed to"
        return ControlResult(control, Finding.NOT_EVIDENCED, absent)
    named = sorted({f"{r['name']} ({r['region']}, {r['contract']})" for entry in executed for r in _recipients(entry)})
    told = ", ".join(named) or "nothing left the server"
    return judged(control, elsewhere, "data was handed to others than declared", f"handed to: {told}")


def storage_limit(control: Control, evidence: RunEvidence) -> ControlResult:
    """The run's start gives its payloads an end, and they are gone by then, or the run is under a legal hold."""
    start, end = evidence.start, evidence.end
    days = start.facts.get(PAYLOAD_DAYS) if start else None
    if not isinstance(days, int):
        return ControlResult(control, Finding.NOT_EVIDENCED, "the run's start gives its payloads no end")
    if evidence.chain.erasures:
        told = f"{days} days after the end; erased at {evidence.chain.erasures[0].time}"
        return ControlResult(control, Finding.PASS, told)
    if end is None:
        return ControlResult(control, Finding.PASS, f"{days} days after the end; the run goes on")
    until = kept_until(end.time, days).date().isoformat()
    if evidence.hold:
        return ControlResult(control, Finding.PASS, f"until {until}, then under a legal hold: {evidence.hold}")
    if not evidence.now:
        return ControlResult(control, Finding.NOT_EVIDENCED, f"until {until}; the time of judging is not known")
    late = (end,) if overdue(end.time, days, evidence.now) else ()
    return judged(control, late, f"payloads are there after {until}; run meshflow ledger gc", f"until {until}")


def _recipients(entry: LedgerEntry) -> Sequence[Mapping[str, str]]:
    return cast("Sequence[Mapping[str, str]]", entry.facts.get("recipients", ()))


def _within(entry: LedgerEntry) -> bool:
    peer = cast("Mapping[str, Any]", entry.facts.get("peer", {})).get("slug")
    return peer is None or f"peer:{peer}" in {recipient["name"] for recipient in _recipients(entry)}
