"""Addresses hold passwords in several places; none is printed or logged."""

from __future__ import annotations

import os

import pytest

from meshflow_grpc.config import Settings
from meshflow_grpc.config.display import bare_url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hunter2@db/ledger",
        "postgresql://app:hun@ter2:hunter2@db/ledger?sslmode=require",
        "postgresql://app@db/ledger?password=hunter2&sslmode=require",
        "postgresql:///ledger?user=app&sslmode=require&sslpassword=hunter2",
        "postgresql://app:x@db/ledger?PASSWORD=hunter2",
    ],
)
def test_wherever_postgresql_takes_one(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Not by `config show`, not in the log, not in a representation; what is no secret is shown."""
    for name in [name for name in os.environ if name.startswith("MESHFLOW_")]:
        monkeypatch.delenv(name)
    settings = Settings.load(ledger_db=url, mock=True)
    assert "hunter2" not in str(settings.redacted())
    assert "hunter2" not in bare_url(url)
    assert "hunter2" not in repr(settings)
    assert "ledger" in bare_url(url)
    assert "sslmode=require" in bare_url(url) or "sslmode" not in url
