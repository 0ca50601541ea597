"""Redaction: findings replaced by typed placeholders."""

from __future__ import annotations

from collections.abc import Iterable

from meshflow_grpc.governance.detection.finding import Finding

_SPECIFICITY = {"secret": 0, "phi": 1, "pii": 2}
_GENERIC = frozenset(
    {"date", "url", "generic_secret", "national_id", "licence_number", "account_number", "prompt_extraction"}
)


def redact(text: str, findings: Iterable[Finding]) -> str:
    """Replaces each found span by its kind, such as "[US_SSN]". Overlapping spans become one placeholder, named after the
    longest finding (the more specific category when equal). Raises ValueError for a span outside the text.
    """
    pieces: list[str] = []
    copied = 0
    for start, end, kind in _merged(len(text), findings):
        pieces.append(text[copied:start])
        pieces.append(f"[{kind.upper()}]")
        copied = end
    pieces.append(text[copied:])
    return "".join(pieces)


def _rank(finding: Finding) -> tuple[int, bool, int, str]:
    return finding.start - finding.end, finding.kind in _GENERIC, _SPECIFICITY.get(finding.category, 3), finding.kind


def _merged(length: int, findings: Iterable[Finding]) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str]] = []
    best: Finding | None = None
    for finding in sorted(findings, key=lambda f: (f.start, f.end)):
        if not 0 <= finding.start < finding.end <= length:
            raise ValueError(
                f"finding {finding.kind}: span {finding.start}:{finding.end} is not in a text of {length} characters"
            )
        if best is not None and finding.start < spans[-1][1]:
            best = min(best, finding, key=_rank)
            spans[-1] = (spans[-1][0], max(spans[-1][1], finding.end), best.kind)
        else:
            best = finding
            spans.append((finding.start, finding.end, finding.kind))
    return spans
