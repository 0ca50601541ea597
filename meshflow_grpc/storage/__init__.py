"""Ledger stores: SQLite (the default) and memory (the reference semantics), behind ``ports.storage.Storage``."""

from __future__ import annotations
