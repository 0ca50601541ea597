"""meshflow-grpc: the governed runtime for AI agents that any language can call."""

from __future__ import annotations

__version__ = "0.1.0"
