"""Evidence of where data went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.governance.run_evidence import ControlResult, Finding, judged

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


def _recipients(entry: LedgerEntry) -> Sequence[Mapping[str, str]]:
    return cast("Sequence[Mapping[str, str]]", entry.facts.get("recipients", ()))


def _within(entry: LedgerEntry) -> bool:
    peer = cast("Mapping[str, Any]", entry.facts.get("peer", {})).get("slug")
    return peer is None or f"peer:{peer}" in {recipient["name"] for recipient in _recipients(entry)}
