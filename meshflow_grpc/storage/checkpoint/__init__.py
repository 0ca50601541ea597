"""Durable checkpoints: single runs kept in memory, Redis or S3 instead of a ledger database."""

from __future__ import annotations
