"""Ledger store in memory: the reference semantics, gone when the process ends."""

from __future__ import annotations
