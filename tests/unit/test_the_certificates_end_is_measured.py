"""When the public port's certificate ends is a metric, of the file as it is now."""

from __future__ import annotations

import os
from math import isnan
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app.public_tls import public_tls
from meshflow_grpc.config import Settings
from meshflow_grpc.telemetry.metrics import Metrics
from tests.fakes.certificates import HOUR, Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test; the offline model is on."""
    for name in list(os.environ):
        if name.startswith(("MESHFLOW_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MESHFLOW_MOCK", "1")


def test_a_renewed_certificate_ends_later_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    """Whoever serves it: the file is what counts, and the one before stays in use when it cannot be read."""
    authority = Authority(tmp_path)
    files, renewed = authority.server(), authority.issue("renewed", lasts=HOUR / 2)
    settings = Settings.load(tls_cert_file=files.certificate, tls_key_file=files.key, use_envoy=False)
    metrics = Metrics()
    with public_tls(settings) as tls:
        metrics.watch_certificate(tls.certificate_end)

        def shown() -> float:
            return metrics.registry.get_sample_value("meshflow_certificate_end_seconds") or 0.0

        before = shown()
        files.certificate.write_bytes(renewed.certificate.read_bytes())
        files.key.write_bytes(renewed.key.read_bytes())
        after = shown()
        assert after == pytest.approx(before - HOUR.total_seconds() / 2, abs=5)
        files.certificate.write_text("no certificate")
        assert shown() == after


def test_without_tls_nothing_is_certified() -> None:
    """No number that an alert could read."""
    with public_tls(Settings.load()) as tls:
        assert not tls.certified
        assert isnan(tls.certificate_end())
