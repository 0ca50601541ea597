"""Evidence of how people got access: how recently they had proved who they are, and what they were let through in an emergency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.approval import ReviewFinding
from meshflow_grpc.governance.emergency import used_in
from meshflow_grpc.governance.reauthentication import AGE, BOUND
from meshflow_grpc.governance.run_evidence import ControlResult, Finding, judged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.governance.compliance import Control
    from meshflow_grpc.governance.run_evidence import RunEvidence


def logoff(control: Control, evidence: RunEvidence) -> ControlResult:
    """Whoever started the run or decided about it had signed in within the bound of that time."""
    acting = [
        entry for entry in (evidence.start, *evidence.gates) if entry is not None and not entry.facts.get("expired")
    ]
    old = [entry for entry in acting if _actor(entry).get(AGE, 0) > _actor(entry).get(BOUND, float("inf"))]
    unknown = [entry for entry in acting if not {AGE, BOUND} <= set(_actor(entry))]
    if unknown and not old:
        methods = ", ".join(sorted({str(_actor(entry).get("auth", "none")) for entry in unknown}))
        told = f"nothing says how long ago those who acted had signed in ({methods})"
        return ControlResult(control, Finding.NOT_EVIDENCED, told)
    if not acting:
        return ControlResult(control, Finding.NOT_EVIDENCED, "no entry names who acted")
    ages = ", ".join(f"{_actor(entry).get(AGE)} of {_actor(entry).get(BOUND)} s" for entry in acting)
    return judged(control, old, "who acted had signed in too long before", f"signed in before: {ages}")


def emergency_access(control: Control, evidence: RunEvidence) -> ControlResult:
    """What was approved in an emergency was confirmed by another person afterwards."""
    used = [gate for gate in evidence.gates if used_in(gate.facts) is not None]
    if not used:
        return ControlResult(control, Finding.NOT_EVIDENCED, "nothing was approved in an emergency")
    against = [gate for gate in used if not _confirmed(gate, evidence)]
    told = "; ".join(f"entry {gate.sequence}: {_told(gate, evidence)}" for gate in used)
    return judged(control, against, f"not confirmed by a second person ({told})", told)


def _confirmed(gate: LedgerEntry, evidence: RunEvidence) -> bool:
    said = evidence.reviews.get(cast("str", gate.facts["approval_id"]), {})
    about = said.get("hash") == gate.hash and said.get("reviewer") != gate.facts["reviewer"]
    return about and said.get("finding") == ReviewFinding.CONFIRM


def _told(gate: LedgerEntry, evidence: RunEvidence) -> str:
    waived = ", ".join(used_in(gate.facts) or ())
    said = evidence.reviews.get(cast("str", gate.facts["approval_id"]))
    found = "nobody has reviewed it" if said is None else f"{said['reviewer']} reviewed it: {said['finding']}"
    return f"{gate.facts['reviewer']} waived {waived}; {found}"


def _actor(entry: LedgerEntry) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", entry.facts["actor"])
