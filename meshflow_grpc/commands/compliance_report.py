"""The compliance report of a run: its chain is verified first, then each control is judged by what the entries say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from meshflow_grpc.commands.verify_run import verify_run
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, RunNotFoundError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.governance.compliance_evidence import evaluate
from meshflow_grpc.governance.emergency import review_of, review_run_id, used_in
from meshflow_grpc.governance.retention import hold_of
from meshflow_grpc.governance.run_evidence import Finding, RunEvidence
from meshflow_grpc.kernel.pipeline import STAGE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.governance.run_evidence import ControlResult
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.storage import Storage


@dataclass(frozen=True, slots=True)
class ComplianceReport:
    """What the ledger shows of a run under some profiles."""

    run_id: str
    workflow: str
    status: str
    policy_digest: str
    profiles: tuple[str, ...]
    chain: ChainVerification
    results: tuple[ControlResult, ...]

    @property
    def failed(self) -> bool:
        """Whether any control fails."""
        return any(result.finding is Finding.FAIL for result in self.results)


async def compliance_report(
    storage: Storage,
    tenant_id: str,
    run_id: str,
    profiles: Sequence[str] = (),
    trusted: Sequence[VerifierKey] | None = None,
    *,
    now: str,
) -> ComplianceReport:
    """Judges a run; without profiles by those of its policy. Raises RunNotFoundError, or InvalidRequestError when there is none."""
    chain = await verify_run(storage, tenant_id, run_id, trusted)
    run = await storage.get_run(tenant_id, run_id)
    chosen = tuple(dict.fromkeys(profiles)) or tuple(cast("Sequence[str]", run.policy.get("compliance", ())))
    if not chosen:
        raise InvalidRequestError.of(FieldViolation("profile", "the run was held to no profile; name one"))
    entries = await run_entries(storage, tenant_id, run_id) if chain.valid else []
    reviews = await _reviews(storage, tenant_id, entries, trusted)
    evidence = RunEvidence(entries, chain, STAGE_NAMES, now, hold_of(run.labels), reviews)
    results = tuple(result for profile in chosen for result in evaluate(profile, evidence))
    return ComplianceReport(run_id, run.workflow, run.status.value, run.policy_digest, chosen, chain, results)


async def _reviews(
    storage: Storage, tenant_id: str, entries: Sequence[LedgerEntry], trusted: Sequence[VerifierKey] | None
) -> dict[str, Mapping[str, str]]:
    """What second persons found of the run's emergency approvals, where the run that says so verifies."""
    found: dict[str, Mapping[str, str]] = {}
    for entry in entries:
        if entry.kind is not EntryKind.GATE_DECIDED or used_in(entry.facts) is None:
            continue
        approval_id = cast("str", entry.facts["approval_id"])
        try:
            verified = await verify_run(storage, tenant_id, review_run_id(approval_id), trusted)
        except RunNotFoundError:
            continue
        if verified.valid:
            start = (await storage.entries(tenant_id, review_run_id(approval_id), limit=1))[0]
            found[approval_id] = cast("Mapping[str, str]", review_of(start.facts))
    return found
