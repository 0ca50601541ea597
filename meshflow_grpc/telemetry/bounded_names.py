"""Names that users choose, as labels of metrics."""

from __future__ import annotations

MAX_NAMES = 100
OTHER = "other"


class BoundedNames:
    """The first hundred names pass; later ones become `other`, so that no caller can grow the metrics without end."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        """Returns the name to count under."""
        if name not in self._known:
            if len(self._known) >= self._limit:
                return OTHER
            self._known.add(name)
        return name
