"""Settings of the scanner."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field

from meshflow_grpc.config.ledger import LedgerSettings
from meshflow_grpc.config.problem import ConfigProblem

_INSTALL = "pip install 'meshflow-grpc[presidio]'"


class ScannerSettings(LedgerSettings):
    """What looks for attacks, secrets and personal data."""

    scanner: Literal["builtin", "presidio"] = Field(
        default="builtin", description="`builtin`, or `presidio`: adds Presidio's recognizers; see detectors.md."
    )
    scanner_model: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="spaCy pipeline whose names and places `presidio` adds; it must be installed, nothing is downloaded.",
    )

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns also what the chosen scanner lacks."""
        return (*super().problems(), *self._missing())

    def _missing(self) -> tuple[ConfigProblem, ...]:
        model = self.scanner_model
        if self.scanner == "builtin":
            what, fix = "set, and MESHFLOW_SCANNER is builtin", "unset it, or set MESHFLOW_SCANNER=presidio"
            return (ConfigProblem("MESHFLOW_SCANNER_MODEL", what, fix),) if model else ()
        if find_spec("presidio_analyzer") is None:
            return (ConfigProblem("MESHFLOW_SCANNER", "presidio is not installed", _INSTALL),)
        if model and find_spec(model) is None:
            return (ConfigProblem("MESHFLOW_SCANNER_MODEL", f"{model} is not installed", "install it, or unset it"),)
        return ()
