"""meshflow-grpc: the governed runtime for AI agents that any language can call."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.replay.ledger import ReplayLedger
    from meshflow_grpc.replay.run_diff import RunDiff

__version__ = "0.1.0"
__all__ = ["ReplayLedger", "RunDiff"]

_HOMES = {"ReplayLedger": "meshflow_grpc.replay.ledger", "RunDiff": "meshflow_grpc.replay.run_diff"}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first asked for, so that ``import meshflow_grpc`` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'meshflow_grpc' has no attribute {name!r}")
