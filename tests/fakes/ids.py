"""Identifiers under the test's control."""

from __future__ import annotations


class SequentialIds:
    """run_…0001, run_…0002 and so on; implements ports.clock.IdSource."""

    def __init__(self, start: int = 0) -> None:
        self._count = start

    def run_id(self) -> str:
        """The next id."""
        self._count += 1
        return f"run_01900000-0000-7000-8000-{self._count:012}"
