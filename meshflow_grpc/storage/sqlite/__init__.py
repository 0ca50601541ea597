"""Ledger store on SQLite: one file, one writer thread, group commit."""

from __future__ import annotations
