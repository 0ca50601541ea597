"""What `--host` and MESHFLOW_HOST may be."""

from __future__ import annotations

import pytest

from meshflow_grpc.config import ConfigurationError, Settings
from meshflow_grpc.domain.address import endpoint


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHFLOW_MOCK", "1")


@pytest.mark.parametrize(
    ("written", "listened"),
    [("localhost", "127.0.0.1"), ("[::1]", "::1"), ("::1", "::1"), ("10.0.0.7", "10.0.0.7"), ("0.0.0.0", "0.0.0.0")],
)
def test_addresses_are_taken_as_people_write_them(monkeypatch: pytest.MonkeyPatch, written: str, listened: str) -> None:
    """In brackets or without, and the one name that everybody writes."""
    monkeypatch.setenv("MESHFLOW_HOST", written)
    assert Settings.load().host == listened
    assert Settings.load(use_envoy=False).host == listened


@pytest.mark.parametrize("wrong", ["300.1.1.1", "meshflow.example.org", "127.0.0.1:80"])
def test_envoy_listens_on_no_name(wrong: str) -> None:
    """It looks none up, and would say so in words of its own; gRPC does."""
    with pytest.raises(
        ConfigurationError, match=f"MESHFLOW_HOST: '{wrong}' is not an IP address; set it to an address"
    ):
        Settings.load(host=wrong)
    assert Settings.load(host=wrong, use_envoy=False).host == wrong


def test_addresses_are_told_with_brackets_where_needed() -> None:
    """As URLs and gRPC write them."""
    assert (endpoint("::1", 80), endpoint("127.0.0.1", 80)) == ("[::1]:80", "127.0.0.1:80")
