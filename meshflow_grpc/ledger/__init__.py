"""The ledger's rules: canonical bytes, the hash chain, and its verification. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations
