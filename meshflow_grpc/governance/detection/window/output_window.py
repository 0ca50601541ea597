"""What of a growing output may be shown: only what no continuation can make part of something the guardian refuses."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from operator import and_
from typing import TYPE_CHECKING

from meshflow_grpc.governance.detection.finding import OUTPUT_LEAKS
from meshflow_grpc.governance.detection.matcher import code_point_offsets
from meshflow_grpc.governance.detection.normalization import fold
from meshflow_grpc.governance.detection.scanner import OVERLAP, WINDOW
from meshflow_grpc.governance.detection.window.automata import WindowAutomata
from meshflow_grpc.governance.detection.window.readings import EDGE, readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshflow_grpc.governance.detection.scanner import TextScanner
    from meshflow_grpc.governance.detection.window.readings import Reading

LONGEST = WINDOW - OVERLAP
"""Code points of an output that can be shown early: those that the scanner reads in its first window alone."""
LEAST_GROWTH = 40
"""Code points that must have come before the text is looked at again; more when much is held back, so that cost stays linear."""
NOWHERE = 1 << 62
_SMUGGLED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4}")


class OutputWindows:
    """Opens a window per output. Immutable; build it once per process."""

    __slots__ = ("_automata", "_scanner")

    def __init__(self, scanner: TextScanner) -> None:
        """Compiles the automata; takes a fraction of a second."""
        self._scanner = scanner
        self._automata = WindowAutomata.compiled()

    def open(self) -> OutputWindow:
        """A window on an output that has not begun."""
        return OutputWindow(self._scanner, self._automata)


class OutputWindow:
    """One growing output. What ``add`` returned, put together, is always the beginning of the text, and no finding for which the
    guardian refuses the whole text, however it goes on, lies in it or reaches into it.
    """

    __slots__ = ("_automata", "_closed", "_due", "_held", "_scanner", "shown")

    def __init__(self, scanner: TextScanner, automata: WindowAutomata) -> None:
        self._scanner = scanner
        self._automata = automata
        self._held = ""
        self._due = LEAST_GROWTH
        self._closed = False
        self.shown = 0

    def add(self, piece: str) -> str:
        """Takes the next piece of the output and returns what may be shown now, often nothing."""
        if self._closed:
            return ""
        self._held += piece
        if len(self._held) < self._due:
            return ""
        safe = self._safe()
        released, self._held = self._held[:safe], self._held[safe:]
        self.shown += safe
        self._due = LEAST_GROWTH + len(self._held) + len(self._held) // 4
        return released

    def _safe(self) -> int:
        """How much of what is held can go; closes the window when no more can go after that."""
        edges = [match.end() for match in EDGE.finditer(self._held)]
        if self.shown + len(self._held) > LONGEST or _reordered(self._held):
            self._closed = True
            return 0
        if not edges:
            return 0
        bound = self._bound(self._held[: edges[-1]])
        safe = self._between_blobs(self._up_to(edges, bound), edges)
        if safe and self._hidden_in(self._held[:safe]):
            self._closed = True
            return 0
        return safe

    def _bound(self, text: str) -> int:
        """Where the first leak starts, complete or still coming, in any reading and in its mirror image."""
        automata = self._automata
        return min(
            _first(reading, [each.first for each in pair])
            for reading in readings(text)
            for pair in ((automata.leaks,) if reading[0].isascii() else (automata.leaks, automata.native))
        )

    def _between_blobs(self, safe: int, edges: list[int]) -> int:
        """The last edge at or before a place that no encoded blob, of any reading, reaches across."""
        while safe:
            coming = min(
                _first(reading, [each.coming for each in self._automata.blobs])
                for reading in readings(self._held[:safe])
            )
            if not self._held[coming:safe].strip():
                return safe
            safe = self._up_to(edges, coming)
        return 0

    def _hidden_in(self, text: str) -> bool:
        """Whether a complete blob of some reading holds a leak."""
        return any(
            self._scanner.scan_output(hidden).of(*OUTPUT_LEAKS)
            for reading, _ in readings(text)
            for image in (reading, reading[::-1])
            for encoding in self._automata.narrow
            for _, _, hidden in encoding.blobs(image.encode("utf-8", "surrogatepass"))
        )

    @staticmethod
    def _up_to(edges: Sequence[int], bound: int) -> int:
        place = bisect_right(edges, bound)
        return edges[place - 1] if place else 0


def _first(reading: Reading, searches: Iterable[Callable[[bytes], int]]) -> int:
    """The least place any search finds, in the text that the reading is of; ``NOWHERE`` when none finds any."""
    text, origins = reading
    data = text.encode("utf-8", "surrogatepass")
    found = min(search(data) for search in searches)
    if found >= len(data):
        return NOWHERE
    place = found if len(data) == len(text) else code_point_offsets(data, (found,))[found]
    return place if origins is None else origins[place]


def _reordered(text: str) -> bool:
    """Whether normalisation may move characters across a piece's border, or characters are smuggled in."""
    if text.isascii():
        return False
    if _SMUGGLED.search(text):
        return True
    marks = [unicodedata.combining(char) > 0 for char in fold(text)]
    return any(map(and_, marks, marks[1:]))
