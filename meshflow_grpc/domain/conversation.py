"""What was said before in a session: the turns that a run is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier run of the session: what it was asked and what it answered, with the taint labels of its steps."""

    run_id: str
    task: str
    answer: str
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ConversationBounds:
    """How much a run is told: at most so many turns, with so many characters together. No turns: nothing."""

    turns: int = 10
    chars: int = 20_000
