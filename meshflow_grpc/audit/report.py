"""What verification found, proved, and could not prove."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

MAX_FINDINGS = 1000


class Check(IntEnum):
    """The checks, in order; docs/evidence-bundle.md describes each under its number."""

    ARCHIVE = 1
    MANIFEST = 2
    RECORDS = 3
    CHAINS = 4
    PAYLOADS = 5
    ERASURES = 6
    RUNS = 7
    POLICIES = 8
    APPROVALS = 9
    HEADS = 10
    INCLUSION = 11
    CONSISTENCY = 12
    PEERS = 13


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which file (and line), run, entry (``sequence``) and field, as far as these are known."""

    check: Check
    file: str
    message: str
    line: int = 0
    run_id: str = ""
    sequence: int = 0
    field: str = ""

    def text(self) -> str:
        """Returns the finding as one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        run = f" run {self.run_id}" if self.run_id else ""
        entry = f" entry {self.sequence}" if self.sequence else ""
        name = f" {self.field}" if self.field else ""
        return f"[{self.check.value}] {place}{run}{entry}{name}: {self.message}"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check ended, and over what it was made. ``passed`` is None when an earlier failure kept it from being made."""

    check: Check
    passed: bool | None
    detail: str


@dataclass(slots=True)
class Report:
    """The result. ``ok`` only when every check was made and nothing was found."""

    bundle: str
    checks: list[CheckResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    findings_total: int = 0
    proved: list[str] = field(default_factory=list)
    not_proved: list[str] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    _failed: set[Check] = field(default_factory=set)

    @property
    def ok(self) -> bool:
        """Whether everything that was to be checked was checked and holds."""
        return (
            not self.findings_total and len(self.checks) == len(Check) and all(result.passed for result in self.checks)
        )

    def add(self, finding: Finding) -> None:
        """Notes a finding; beyond a thousand they are only counted."""
        self.findings_total += 1
        self._failed.add(finding.check)
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)

    def conclude(self, check: Check, detail: str) -> None:
        """Notes that a check was made; it passed when nothing was found by it."""
        self.checks.append(CheckResult(check, check not in self._failed, detail))

    def skip_rest(self, detail: str) -> None:
        """Notes that the remaining checks could not be made."""
        made = {result.check for result in self.checks}
        self.checks += [CheckResult(check, None, detail) for check in Check if check not in made]

    def document(self) -> dict[str, object]:
        """Returns the report as JSON."""
        return {
            "bundle": self.bundle,
            "ok": self.ok,
            "checks": [
                {"number": r.check.value, "name": r.check.name.lower(), "passed": r.passed, "detail": r.detail}
                for r in self.checks
            ],
            "findings": [
                {
                    "check": f.check.name.lower(),
                    "file": f.file,
                    "line": f.line,
                    "run_id": f.run_id,
                    "sequence": f.sequence,
                    "field": f.field,
                    "message": f.message,
                }
                for f in self.findings
            ],
            "findings_total": self.findings_total,
            "proved": self.proved,
            "not_proved": self.not_proved,
            "erased": self.erased,
            "counts": self.counts,
        }
