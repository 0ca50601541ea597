"""The fake server of the client's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.client.fake_server import FakeServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A scripted server."""
    with FakeServer() as running:
        yield running
