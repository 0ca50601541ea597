"""ReplayLedger: the ledger in Python, for scripts and notebooks."""

from __future__ import annotations
