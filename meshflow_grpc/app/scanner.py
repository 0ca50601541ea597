"""The scanner an operator chose."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from meshflow_grpc.governance.detection.scanner import TextScanner

if TYPE_CHECKING:
    from meshflow_grpc.config import Settings
    from meshflow_grpc.kernel.ports import Scanner


def open_scanner(settings: Settings) -> Scanner:
    """Returns the scanner, the same one each time; takes up to seconds. Raises OSError when the pipeline cannot be loaded."""
    return _scanner(settings.scanner, settings.scanner_model)


@cache
def _scanner(name: str, model: str | None) -> Scanner:
    """Building one takes long, and it holds nothing of a caller but texts it scanned lately."""
    if name == "builtin":
        return TextScanner()
    from meshflow_grpc.providers.presidio_scanner import PresidioScanner

    return PresidioScanner(_scanner("builtin", None), model)
