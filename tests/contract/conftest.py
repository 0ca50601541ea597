"""The real server."""

from __future__ import annotations

from tests.e2e.conftest import server, start_server

__all__ = ["server", "start_server"]
