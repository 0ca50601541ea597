"""How a process that does nothing but serve runs its interpreter."""

from __future__ import annotations

import gc
import sys

# The writer thread gets the interpreter back quickly while the event loop is busy (default: 5 ms).
SWITCH_INTERVAL_S = 0.0005
# Objects made and not freed before young ones are looked through (default: 700, which a single run makes several times).
YOUNG_OBJECTS = 5_000


def run_as_server() -> None:
    """Call it at the end of the start: what the start made is not looked through for garbage again.

    That is a quarter of a step's processor time, and 40 ms of the event loop each time all of it is looked through.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    gc.collect()
    gc.freeze()
