"""The scanner: a few automata pass over the text, a closer look where one hit, and the same again for what was hidden in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from meshflow_grpc.governance.detection.attack_rules import ENGLISH_ATTACKS
from meshflow_grpc.governance.detection.clinical_rules import CLINICAL_CONTEXT, CLINICAL_RULES, CONTACT_CONTEXT
from meshflow_grpc.governance.detection.encodings import (
    ASCII_ENCODINGS,
    VARIATION_SELECTORS,
    Encoding,
    closed_up_places,
    hidden_bytes,
)
from meshflow_grpc.governance.detection.finding import CLEAN, Finding, ScanResult
from meshflow_grpc.governance.detection.matcher import code_point_offsets
from meshflow_grpc.governance.detection.name_rules import NAME_RULES
from meshflow_grpc.governance.detection.normalization import TYPOGRAPHIC, FoldedPlaces, fold, foreign
from meshflow_grpc.governance.detection.personal_rules import PERSONAL_RULES
from meshflow_grpc.governance.detection.rule_set import Locator, RuleSet
from meshflow_grpc.governance.detection.secret_rules import SECRET_RULES
from meshflow_grpc.governance.detection.world_attack_rules import (
    SQUASHED_ATTACKS,
    WORLD_LATIN_ATTACKS,
    WORLD_NATIVE_ATTACKS,
)

ATTACK_RULES = ENGLISH_ATTACKS + WORLD_LATIN_ATTACKS + SQUASHED_ATTACKS
DATA_RULES = PERSONAL_RULES + CLINICAL_RULES + SECRET_RULES + NAME_RULES
WINDOW = 65_536
"""Code points scanned at once; longer texts are scanned in windows."""
OVERLAP = 8_192
"""Code points two neighbouring windows share: longer than any single item."""
MAX_DEPTH = 3
"""Encodings inside encodings that are unwrapped."""
REMEMBERED = 128
"""Texts whose result is kept: the same one is often scanned again at once, for a branch beside, another attempt or the next stage."""
LONGEST_REMEMBERED = 8_192
"""Code points of a text that may be remembered."""


_ATTACKS_TOGETHER = 32
_DATA_TOGETHER = 69
_DATA_CATEGORIES = frozenset({"pii", "phi", "secret"})
_ORDINARY = frozenset({("pii", "person_name")})
"""What many texts hold that are not about a person: it makes no context."""
_CONTEXTS = {"clinical": CLINICAL_CONTEXT, "contact": CONTACT_CONTEXT}


class TextScanner:
    """Finds attacks, secrets and personal data, by the text alone. Build it once per process and share it between threads."""

    __slots__ = ("_attacks", "_data", "_idle", "_native", "_remembered")

    def __init__(self) -> None:
        """Compiles the first passes; takes a tenth of a second."""
        self._attacks = RuleSet(ATTACK_RULES, together=_ATTACKS_TOGETHER)
        encoded = [encoding.trigger for encoding in ASCII_ENCODINGS]
        self._data = RuleSet(DATA_RULES, (*_CONTEXTS.values(), *encoded), together=_DATA_TOGETHER)
        self._idle = self._data.idle_without_context()
        self._native = RuleSet(WORLD_NATIVE_ATTACKS, together=len(WORLD_NATIVE_ATTACKS), utf8=True)
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._scan)

    def scan_input(self, text: str) -> ScanResult:
        """Scans what goes into a step: a task, a prompt, a document, a tool's answer."""
        return self._known(text, "input")

    def scan_output(self, text: str) -> ScanResult:
        """Scans what a step produced."""
        return self._known(text, "output")

    def _known(self, text: str, direction: str) -> ScanResult:
        """One scan serves both directions, unless it finds an attack: no other rule asks which way a text goes."""
        scan = self._remembered if len(text) <= LONGEST_REMEMBERED else self._scan
        either = scan(text, "")
        return scan(text, direction) if either.findings and either.categories() - _DATA_CATEGORIES else either

    def _scan(self, text: str, direction: str) -> ScanResult:
        if len(text) <= WINDOW:
            findings = self._read(text, direction, MAX_DEPTH)
        else:
            findings = [
                _moved(finding, start)
                for start in range(0, len(text) - OVERLAP, WINDOW - OVERLAP)
                for finding in self._read(text[start : start + WINDOW], direction, MAX_DEPTH)
            ]
        return ScanResult(tuple(_widest(findings))) if findings else CLEAN

    def _read(self, text: str, direction: str, depth: int) -> list[Finding]:
        """Findings of one window or one decoded reading, spans within it."""
        data = text.encode("utf-8", "surrogatepass")
        attack_hits, data_hits = self._attacks.match(data), self._data.match(data)
        quiet = not attack_hits and self._idle.issuperset(data_hits)
        if len(data) == len(text):
            if quiet:
                return []
            findings = self._rules(data, attack_hits, data_hits, direction)
        else:
            strange = foreign(data)
            findings = [] if quiet else self._rules(data, attack_hits, data_hits, direction)
            if not TYPOGRAPHIC.issuperset(strange):
                findings += _found(self._native.triggered(self._native.match(data), direction), data)
            findings = _in_code_points(data, findings)
            findings += self._folded(text, strange, direction, depth, findings)
        if depth and not quiet:
            findings += self._decoded(text, data, data_hits, direction, depth, findings)
        return findings

    def _rules(
        self, data: bytes, attack_hits: Sequence[int], data_hits: Sequence[int], direction: str
    ) -> list[Finding]:
        """What the rules find in the bytes as they are."""
        return _found(self._attacks.triggered(attack_hits, direction), data) + self._data_findings(data, data_hits)

    def _data_findings(self, data: bytes, hits: Sequence[int]) -> list[Finding]:
        locators = self._data.triggered(hits, "")
        findings = _found((locator for locator in locators if not locator.rule.context), data)
        waiting = [locator for locator in locators if locator.rule.context]
        if waiting:
            contexts = self._contexts(hits, findings)
            findings += _found((locator for locator in waiting if locator.rule.context in contexts), data)
        return findings

    def _contexts(self, hits: Iterable[int], findings: Iterable[Finding]) -> frozenset[str]:
        """What kind of text this is, by its words and by what was already found in it."""
        categories = {finding.category for finding in findings if (finding.category, finding.kind) not in _ORDINARY}
        names = {name for place, name in enumerate(_CONTEXTS, len(self._data)) if place in hits}
        if "phi" in categories or "clinical" in names:
            return frozenset({"clinical", "personal", "contact"})
        return frozenset({"personal", "contact"}) if "pii" in categories else frozenset(names)

    def _folded(self, text: str, strange: str, direction: str, depth: int, known: list[Finding]) -> list[Finding]:
        """Findings in what the text looks like, where it differs from what it is; ``strange`` is what is not ASCII in it."""
        folded = fold(text, strange)
        if folded == text:
            return []
        findings = [
            replace(finding, start=start, end=end, layer="variation_selectors")
            for start, end, reading in (hidden_bytes(text) if VARIATION_SELECTORS.search(strange) else ())
            for finding in self._read(reading, direction, max(depth - 1, 0))
        ]
        inner = self._read_folded(folded, direction, depth)
        if inner:
            places = FoldedPlaces(text)
            findings += _new((_moved_to(finding, *places.span(finding.start, finding.end)) for finding in inner), known)
        return findings

    def _read_folded(self, folded: str, direction: str, depth: int) -> list[Finding]:
        data = folded.encode("utf-8", "surrogatepass")
        attack_hits, hits = self._attacks.match(data), self._data.match(data)
        if not attack_hits and self._idle.issuperset(hits):
            return []
        findings = _in_code_points(data, self._rules(data, attack_hits, hits, direction))
        return findings + (self._decoded(folded, data, hits, direction, depth, findings) if depth else [])

    def _decoded(
        self, text: str, data: bytes, hits: Iterable[int], direction: str, depth: int, known: list[Finding]
    ) -> list[Finding]:
        """Findings in what is encoded in the text."""
        first = len(self._data) + len(_CONTEXTS)
        encodings = [ASCII_ENCODINGS[hit - first] for hit in hits if hit >= first]
        return _new(
            (finding for encoding in encodings for finding in self._unwrapped(encoding, text, data, direction, depth)),
            known,
        )

    def _unwrapped(self, encoding: Encoding, text: str, data: bytes, direction: str, depth: int) -> Iterator[Finding]:
        readings = list(encoding.blobs(data))
        places = code_point_offsets(data, (offset for first, last, _ in readings for offset in (first, last)))
        for first, last, reading in readings:
            start, end = places[first], places[last]
            if reading == text[start:end]:
                continue
            for finding in self._read(reading, direction, depth - 1):
                if not encoding.attacks_only or finding.category not in _DATA_CATEGORIES:
                    yield _placed(finding, encoding, start, text[start:end])


def _found(locators: Iterable[Locator], data: bytes) -> list[Finding]:
    return [finding for locator in locators for finding in locator.found(data)]


def _widest(findings: list[Finding]) -> list[Finding]:
    """Ordered by place, without findings that lie inside another of the same kind."""
    kept: list[Finding] = []
    reach: dict[str, int] = {}
    for finding in sorted(set(findings), key=_place):
        if finding.end > reach.get(finding.kind, -1):
            reach[finding.kind] = finding.end
            kept.append(finding)
    return kept


def _place(finding: Finding) -> tuple[int, int, str, str, str]:
    return finding.start, -finding.end, finding.category, finding.kind, finding.layer


def _moved_to(finding: Finding, start: int, end: int) -> Finding:
    return replace(finding, start=start, end=end, layer="normalized" if finding.layer == "plain" else finding.layer)


def _moved(finding: Finding, offset: int) -> Finding:
    return replace(finding, start=finding.start + offset, end=finding.end + offset) if offset else finding


def _in_code_points(data: bytes, findings: list[Finding]) -> list[Finding]:
    if not findings:
        return findings
    places = code_point_offsets(data, (offset for finding in findings for offset in (finding.start, finding.end)))
    return [
        replace(finding, start=places[finding.start], end=max(places[finding.end], places[finding.start] + 1))
        for finding in findings
    ]


def _placed(finding: Finding, encoding: Encoding, start: int, blob: str) -> Finding:
    end = start + len(blob)
    match encoding.alignment:
        case "same":
            inner = (start + finding.start, start + finding.end)
        case "mirrored":
            inner = (end - finding.end, end - finding.start)
        case "closed_up":
            places = closed_up_places(blob) + [len(blob)] * len(blob)
            inner = (start + places[finding.start], min(start + places[finding.end - 1] + 1, end))
        case _:
            inner = (start, end)
    return replace(finding, start=inner[0], end=inner[1], layer=encoding.layer)


def _new(findings: Iterable[Finding], known: list[Finding]) -> list[Finding]:
    """Those that do not repeat a known finding of the same kind within their span."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for finding in known:
        spans.setdefault(finding.kind, []).append((finding.start, finding.end))
    return [
        finding
        for finding in findings
        if not any(start < finding.end and finding.start < end for start, end in spans.get(finding.kind, ()))
    ]
