"""Which engine has runs go on, and where Temporal is: checked at start, as every setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshflow_grpc.config import Settings
from tests.unit.test_config_reads_the_environment import clean_environment, problems_of

__all__ = ["clean_environment"]  # a fixture


def test_settings_of_an_engine_that_is_not_used_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would do nothing; with the engine they are read, in any case of letters."""
    monkeypatch.setenv("MESHFLOW_TEMPORAL_NAMESPACE", "agents")
    assert "MESHFLOW_ENGINE=temporal" in problems_of()["MESHFLOW_TEMPORAL_NAMESPACE"]

    monkeypatch.setenv("MESHFLOW_ENGINE", "Temporal")
    settings = Settings.load()
    assert (settings.engine, settings.temporal_namespace, settings.temporal_task_queue) == (
        "temporal",
        "agents",
        "meshflow",
    )


@pytest.mark.parametrize("address", ["temporal", "http://temporal:7233", "temporal:0", "temporal:x", ":7233"])
def test_an_address_of_temporal_is_host_and_port(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is refused at start."""
    monkeypatch.setenv("MESHFLOW_ENGINE", "temporal")
    monkeypatch.setenv("MESHFLOW_TEMPORAL_ADDRESS", address)

    assert "must be host:port" in problems_of()["MESHFLOW_TEMPORAL_ADDRESS"]


def test_a_key_for_temporal_is_not_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It may come from a file, and needs TLS."""
    (tmp_path / "key").write_text("secret\n")
    monkeypatch.setenv("MESHFLOW_ENGINE", "temporal")
    monkeypatch.setenv("MESHFLOW_TEMPORAL_API_KEY_FILE", str(tmp_path / "key"))
    assert "MESHFLOW_TEMPORAL_TLS=1" in problems_of()["MESHFLOW_TEMPORAL_API_KEY"]

    monkeypatch.setenv("MESHFLOW_TEMPORAL_TLS", "1")
    settings = Settings.load()
    assert settings.temporal_api_key is not None
    assert settings.temporal_api_key.get_secret_value() == "secret"
    assert settings.redacted()["MESHFLOW_TEMPORAL_API_KEY"] == "(set, not shown)"
