"""How long a writer lets the event loop go on between two commits, so that runs that go on at the same time share the next one.

No timer: turns of the loop. A run's answer goes through several tasks until it appends again, one a turn; a loop that is idle takes
its turns in microseconds, and a busy one has more to gather in each.
"""

from __future__ import annotations

from typing import Final

MAX_TURNS: Final = 10


def turns_after(answered: int) -> int:
    """Turns of the event loop after a commit that answered so many commands: none for a run that is alone."""
    return min(MAX_TURNS, 4 * (answered - 1))
