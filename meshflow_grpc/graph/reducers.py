"""How an update joins what a key of the state holds."""

from __future__ import annotations

from typing import Any


def add(held: Any, update: Any) -> Any:  # noqa: ANN401 - whatever adds up: lists, numbers, texts
    """What was held plus the update; use it for lists that grow and numbers that are counted."""
    return held + update


def last(_held: Any, update: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The update alone, which is what a key without a reducer does."""
    return update
