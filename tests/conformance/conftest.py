"""Every store under test; a store that cannot pass a test is not a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.storage.factory import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage
    from tests.postgres_cluster import PostgresCluster


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """An empty store, closed afterwards."""
    if request.param == "postgres":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = cluster.new_database()
    else:
        url = "memory:" if request.param == "memory" else str(tmp_path / "ledger.db")
    opened = await open_storage(url, pool_min=1, pool_max=4)
    yield opened
    await opened.close()
