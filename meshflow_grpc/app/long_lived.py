"""The garbage collector of a server: it leaves alone what lives as long as the process."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# New objects until the collector looks at them, and how many such looks until the next generations: runs make thousands at once.
THRESHOLDS: Final = (10_000, 20, 20)


@contextmanager
def long_lived() -> Iterator[None]:
    """Inside, everything that was made before is taken to stay, and is never looked through again.

    A full collection looked through modules, messages' classes and compiled patterns for 150 ms, while every call waited.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
