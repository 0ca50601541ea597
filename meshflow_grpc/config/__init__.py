"""Configuration: from the environment alone, checked at start-up, every problem reported at once."""

from __future__ import annotations

from meshflow_grpc.config.ledger import LedgerSettings
from meshflow_grpc.config.problem import ConfigProblem, ConfigurationError
from meshflow_grpc.config.settings import (
    CLIENT_VARIABLES,
    Settings,
    known_variables,
    load_ledger_settings,
    source_of,
    variable_of,
)

__all__ = [
    "CLIENT_VARIABLES",
    "ConfigProblem",
    "ConfigurationError",
    "LedgerSettings",
    "Settings",
    "known_variables",
    "load_ledger_settings",
    "source_of",
    "variable_of",
]
