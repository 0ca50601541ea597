"""MUST of Storage.paused_runs."""

from __future__ import annotations
