"""What a scan reports: findings with their place in the scanned text."""

from __future__ import annotations

from dataclasses import dataclass, field

CATEGORIES = frozenset({"pii", "phi", "secret", "injection", "jailbreak", "exfiltration", "prompt_leak"})
OUTPUT_LEAKS = ("exfiltration", "prompt_leak")
"""The categories for which the guardian refuses an output."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One detected item. The span counts code points of the scanned text; for a decoded layer it is the encoded blob's."""

    category: str
    kind: str
    start: int
    end: int
    layer: str = "plain"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """All findings of one scan, ordered by place."""

    findings: tuple[Finding, ...] = field(default=())

    def categories(self) -> frozenset[str]:
        """The categories that occur."""
        return frozenset(finding.category for finding in self.findings)

    def of(self, *categories: str) -> tuple[Finding, ...]:
        """The findings of these categories, ordered by place."""
        return tuple(finding for finding in self.findings if finding.category in categories)


CLEAN = ScanResult()
