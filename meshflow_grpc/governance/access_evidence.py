"""Evidence of how people got access: how recently they had proved who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

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


def _actor(entry: LedgerEntry) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", entry.facts["actor"])
