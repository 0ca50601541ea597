"""Evaluates the controls of a compliance profile from what a run's entries say. Pure: the chain was verified before."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.governance.access_evidence import emergency_access, logoff
from meshflow_grpc.governance.change_evidence import approved_changes, change_control
from meshflow_grpc.governance.compliance import ANONYMOUS, DPIA, NO_EFFECT, PURPOSE, Control, controls_of, legal_effect
from meshflow_grpc.governance.data_evidence import storage_limit, transfers
from meshflow_grpc.governance.run_evidence import ControlResult, Finding, RunEvidence, decision, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry

_GUARDRAILS, _SCAN, _OUTPUT = 6, 7, 12
_SHOWN = 10


def evaluate(profile: str, evidence: RunEvidence) -> tuple[ControlResult, ...]:
    """Every control of a profile; nothing passes on a chain that does not verify."""
    return tuple(_result(control, evidence) for control in controls_of(profile))


def _result(control: Control, evidence: RunEvidence) -> ControlResult:
    name = control.id.partition(".")[2]
    if name == "integrity":
        return _integrity(control, evidence)
    if not evidence.chain.valid:
        return ControlResult(control, Finding.NOT_EVIDENCED, "the chain does not verify: its entries prove nothing")
    if evidence.by_hand and name not in _KEPT_BY_THE_LEDGER:
        return ControlResult(
            control, Finding.NOT_EVIDENCED, "a program recorded the run by hand: no stage saw its steps"
        )
    rule = _RULES.get(name) if control.stage else None
    if rule is None:
        return ControlResult(control, Finding.NOT_EVIDENCED, control.absent)
    return rule(control, evidence)


def _integrity(control: Control, evidence: RunEvidence) -> ControlResult:
    chain = evidence.chain
    if chain.valid:
        return ControlResult(control, Finding.PASS, f"the chain of {chain.entries_checked} entries verifies")
    faults = "; ".join(fault.description for fault in chain.faults[:_SHOWN])
    return ControlResult(control, Finding.FAIL, faults, tuple(sorted({f.sequence for f in chain.faults})))


def _lists(entry: LedgerEntry, control: str) -> bool:
    return control in cast("Sequence[str]", entry.facts.get("controls", ()))


def _without(control: str, entries: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    return [entry for entry in entries if not _lists(entry, control)]


def _profile(control: Control, evidence: RunEvidence) -> ControlResult:
    if not evidence.steps:
        return ControlResult(control, Finding.NOT_EVIDENCED, "the run took no step")
    missing = _without(control.id, evidence.executed)
    good = f"{len(evidence.executed)} executed steps were held to it, {_denied(evidence)} were stopped before"
    return judged(control, missing, "steps were executed without it", good)


def _denied(evidence: RunEvidence) -> int:
    return len(evidence.steps) - len(evidence.executed)


def _identity(control: Control, evidence: RunEvidence) -> ControlResult:
    acting = [e for e in evidence.entries if "actor" in e.facts]
    if not acting:
        return ControlResult(control, Finding.NOT_EVIDENCED, "no entry names who acted")
    actors = [(entry, cast("Mapping[str, str]", entry.facts["actor"])) for entry in acting]
    unknown = [e for e, actor in actors if not actor.get("principal") or actor.get("auth", ANONYMOUS) == ANONYMOUS]
    methods = ", ".join(sorted({actor.get("auth", ANONYMOUS) for _, actor in actors}))
    return judged(control, unknown, "nobody proved who they are", f"all actors are proven ({methods})")


def _guardian(control: Control, evidence: RunEvidence) -> ControlResult:
    unguarded = [
        e
        for e in evidence.executed
        if decision(e, _GUARDRAILS) == "skip" or not _lists(e, f"{control.profile}.profile")
    ]
    return judged(control, unguarded, "steps were executed unguarded", "the guardian saw every executed step")


def _masking(control: Control, evidence: RunEvidence) -> ControlResult:
    clear = [e for e in evidence.executed if "label" in (decision(e, _SCAN), decision(e, _OUTPUT))]
    clear += [e for e in _without(f"{control.profile}.profile", evidence.executed) if e not in clear]
    counts: Counter[str] = Counter()
    for entry in evidence.steps:
        counts.update(cast("Mapping[str, int]", entry.facts.get("masked", {})))
    listed = ", ".join(f"{kind} x{count}" for kind, count in sorted(counts.items())) or "nothing to mask"
    start = evidence.start
    kept = f"; the request is kept as received in entry {start.sequence}" if start and start.input is not None else ""
    return judged(control, clear, "sensitive data was not masked", f"masked in what agents were given: {listed}{kept}")


def _oversight(control: Control, evidence: RunEvidence) -> ControlResult:
    threshold = RiskTier.IRREVERSIBLE if control.profile == "gdpr" else RiskTier.EXTERNAL_IO
    risky = [e for e in evidence.executed if RiskTier[cast("str", e.facts["risk"]).upper()] >= threshold]
    persons = {g.facts["approval_id"] for g in evidence.gates if not g.facts.get("expired")}
    alone = [e for e in risky if _approval(e) not in persons]
    good = f"{len(risky)} steps of tier {threshold.label} or above were executed, each approved by a person"
    return judged(control, alone, f"no person approved steps of tier {threshold.label} or above", good)


def _approval(entry: LedgerEntry) -> str | None:
    return cast("Mapping[str, str]", entry.facts.get("approved_by", {})).get("approval_id")


def _separation(control: Control, evidence: RunEvidence) -> ControlResult:
    if evidence.start is None:
        return ControlResult(control, Finding.NOT_EVIDENCED, "no entry names the requester")
    requester = cast("Mapping[str, str]", evidence.start.facts["actor"])["principal"]
    approved = [g for g in evidence.gates if g.facts["decision"] == "approve"]
    own = [g for g in approved if g.facts["reviewer"] == requester]
    return judged(control, own, "the requester approved", f"{len(approved)} approvals, none by the requester")


def _audit(control: Control, evidence: RunEvidence) -> ControlResult:
    names = evidence.stage_names
    partial = [e for e in evidence.steps if _stage_names(e) != names]
    ended = any(e.kind is EntryKind.RUN_FINISHED for e in evidence.entries)
    told = f"{len(evidence.steps)} steps, each with {len(names)} decisions" + ("" if ended else "; the run goes on")
    return judged(control, partial, "steps lack decisions", told)


def _stage_names(entry: LedgerEntry) -> tuple[str, ...]:
    return tuple(stage["stage"] for stage in cast("Sequence[Mapping[str, str]]", entry.facts["stages"]))


def _encryption(control: Control, evidence: RunEvidence) -> ControlResult:
    if not evidence.executed or _without(control.id, evidence.executed):
        return ControlResult(control, Finding.NOT_EVIDENCED, "the entries do not say that payloads are encrypted")
    return ControlResult(control, Finding.PASS, "the server encrypted payloads when each step was taken")


def _transmission(control: Control, evidence: RunEvidence) -> ControlResult:
    if not evidence.executed or _without(control.id, evidence.executed):
        return ControlResult(control, Finding.NOT_EVIDENCED, "the entries do not say that callers were served over TLS")
    return ControlResult(control, Finding.PASS, "the server took calls over TLS alone when each step was taken")


def _named_purpose(start: LedgerEntry) -> str:
    """The purpose a run's first entry names; ledgers of schema 4 had all labels there."""
    labels = cast("Mapping[str, str]", start.facts.get("labels", {}))
    return cast("str", start.facts.get(PURPOSE, labels.get(PURPOSE, "")))


def _purpose(control: Control, evidence: RunEvidence) -> ControlResult:
    start = evidence.start
    named = _named_purpose(start).strip() if start else ""
    if named:
        return ControlResult(control, Finding.PASS, f"purpose: {named}")
    return ControlResult(control, Finding.FAIL, "the request named no purpose", (start.sequence,) if start else ())


def _erasure(control: Control, evidence: RunEvidence) -> ControlResult:
    told = "; ".join(f"entry {e.sequence}: {e.payloads} payloads at {e.time}" for e in evidence.chain.erasures)
    if told:
        return ControlResult(control, Finding.PASS, told)
    return ControlResult(control, Finding.NOT_EVIDENCED, "nothing of this run was erased")


def _declared(evidence: RunEvidence) -> Mapping[str, str]:
    """What the request declared, as the run's start holds it: only labels that controls read are there, in older runs all."""
    facts = cast("Mapping[str, Any]", evidence.start.facts) if evidence.start else {}
    return {**facts.get("labels", {}), **facts}


def _retention(control: Control, evidence: RunEvidence) -> ControlResult:
    start = evidence.start
    tag = cast("Mapping[str, object]", start.facts.get("retention", {})) if start else {}
    if control.profile not in cast("Sequence[str]", tag.get("profiles", ())):
        return ControlResult(control, Finding.NOT_EVIDENCED, "the run's start does not say how long it is kept")
    kept = f"kept until {tag['until']} ({tag['days']} days); payloads erased: {evidence.chain.payloads_erased}"
    if tag.get("immutable"):
        return ControlResult(control, Finding.PASS, f"{kept}; the database refuses to delete or change its entries")
    return ControlResult(control, Finding.FAIL, "the run's entries may be deleted (immutable_audit is off)", (1,))


def _legal_effect(control: Control, evidence: RunEvidence) -> ControlResult:
    declared = legal_effect(_declared(evidence))
    if not declared:
        absent = "the request does not say whether its outcome has legal effect (labels.legal_effect)"
        return ControlResult(control, Finding.NOT_EVIDENCED, absent)
    if declared in NO_EFFECT:
        return ControlResult(control, Finding.PASS, "declared to have no legal effect")
    persons = [g for g in evidence.gates if not g.facts.get("expired")]
    ended = [e for e in evidence.entries if e.kind is EntryKind.RUN_FINISHED and e.facts["status"] == "completed"]
    alone = ended if not persons else _without(control.id, evidence.executed)
    return judged(control, alone, "no person decided", f"{len(persons)} decisions by persons")


def _dpia(control: Control, evidence: RunEvidence) -> ControlResult:
    named = _declared(evidence).get(DPIA, "").strip()
    if named:
        return ControlResult(control, Finding.PASS, f"impact assessment: {named}")
    if legal_effect(_declared(evidence)) in {"", *NO_EFFECT}:
        return ControlResult(control, Finding.NOT_EVIDENCED, "no high risk is declared, and no assessment is named")
    return judged(control, evidence.executed, "steps were executed without an assessment", "nothing was executed")


_KEPT_BY_THE_LEDGER = frozenset({"erasure", "retention"})
_RULES: dict[str, Callable[[Control, RunEvidence], ControlResult]] = {
    "profile": _profile,
    "identity": _identity,
    "guardian": _guardian,
    "minimum_necessary": _masking,
    "minimisation": _masking,
    "oversight": _oversight,
    "separation_of_duties": _separation,
    "change_control": change_control,
    "audit": _audit,
    "accountability": _audit,
    "encryption": _encryption,
    "transmission": _transmission,
    "purpose": _purpose,
    "erasure": _erasure,
    "retention": _retention,
    "legal_effect": _legal_effect,
    "dpia": _dpia,
    "approved_changes": approved_changes,
    "emergency_access": emergency_access,
    "logoff": logoff,
    "transfers": transfers,
    "storage_limit": storage_limit,
}
