"""Numbered SQL migrations."""

from __future__ import annotations
