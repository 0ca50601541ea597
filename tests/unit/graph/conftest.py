"""Graphs in Python run on the offline model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The offline model and a ledger of its own."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", str(tmp_path / "graph.db"))
    return str(tmp_path / "graph.db")
