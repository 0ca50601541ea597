"""One scanner for all tests here: it is immutable."""

from __future__ import annotations

import pytest

from meshflow_grpc.governance.detection import TextScanner


@pytest.fixture(scope="session")
def scanner() -> TextScanner:
    """The scanner as the kernel builds it."""
    return TextScanner()
