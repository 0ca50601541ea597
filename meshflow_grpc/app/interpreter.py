"""How a process that does nothing but serve runs its interpreter."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# The writer thread gets the interpreter back quickly while the event loop is busy (default: 5 ms).
SWITCH_INTERVAL_S: Final = 0.0005
# New objects until the collector looks at them, and how many such looks until the next generations: runs make thousands at once.
THRESHOLDS: Final = (25_000, 20, 20)


@contextmanager
def run_as_server() -> Iterator[None]:
    """Inside, everything that was made before is taken to stay, and is never looked through for garbage again.

    A full collection looked through modules, messages' classes and compiled patterns for 150 ms, while every call waited.
    """
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
