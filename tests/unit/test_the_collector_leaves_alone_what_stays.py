"""While a server serves, the garbage collector does not look at what was there before, and still frees what comes and goes."""

from __future__ import annotations

import gc
import weakref

from meshflow_grpc.app.interpreter import THRESHOLDS, run_as_server


class Knot:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_there_before_is_not_looked_at_until_the_end() -> None:
    """Nothing made before is in a generation inside; all of it is again afterwards, with the thresholds that were set."""
    thresholds, before = gc.get_threshold(), Knot()
    with run_as_server():
        assert gc.get_threshold() == THRESHOLDS
        assert not any(each is before for each in gc.get_objects())
    assert gc.get_freeze_count() == 0
    assert any(each is before for each in gc.get_objects())
    assert gc.get_threshold() == thresholds


def test_what_comes_and_goes_is_freed() -> None:
    """Rings of objects that runs leave behind are collected as ever."""
    with run_as_server():
        ring = Knot()
        gone = weakref.ref(ring)
        del ring
        gc.collect()
        assert gone() is None
