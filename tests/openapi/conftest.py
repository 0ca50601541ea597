"""The real server, Envoy included, as tests/e2e starts it."""

from __future__ import annotations

from tests.e2e.conftest import start_server

__all__ = ["start_server"]
