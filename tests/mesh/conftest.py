"""Real servers that are nodes of one mesh."""

from __future__ import annotations

from tests.e2e.conftest import start_server

__all__ = ["start_server"]
