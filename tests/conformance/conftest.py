"""Every store under test; a store that cannot pass a test is not a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.storage.factory import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """An empty store, closed afterwards."""
    opened = await open_storage("memory:" if request.param == "memory" else str(tmp_path / "ledger.db"))
    yield opened
    await opened.close()
