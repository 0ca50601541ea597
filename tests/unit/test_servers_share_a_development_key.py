"""The key beside the ledger, when several servers start at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meshflow_grpc.config import Settings
from meshflow_grpc.config.signing import log_keys


def test_servers_that_start_at_once_share_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them makes it; none sees half of the file, and no draft of it stays."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", "postgresql://localhost/x")
    monkeypatch.setenv("MESHFLOW_DATA_DIR", str(tmp_path))
    settings, together = Settings.load(), threading.Barrier(8)

    def start() -> bytes:
        together.wait()
        return log_keys(settings).signing[0].key_id

    with ThreadPoolExecutor(8) as pool:
        assert len({started.result() for started in [pool.submit(start) for _ in range(8)]}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["meshflow.signing-key"]
