"""Every store under test, plain and encrypted; a store that cannot pass a test is not a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys
from meshflow_grpc.storage.factory import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage
    from tests.postgres_cluster import PostgresCluster

KEYS = PayloadKeys((b"k" * 32,))


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
        "memory encrypted",
        "sqlite encrypted",
        pytest.param("postgres encrypted", marks=pytest.mark.postgres),
    ]
)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """An empty store, closed afterwards."""
    engine, _, encrypted = request.param.partition(" ")
    if engine == "postgres":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = cluster.new_database()
    else:
        url = "memory:" if engine == "memory" else str(tmp_path / "ledger.db")
    opened = await open_storage(url, pool_min=1, pool_max=4, payload_keys=KEYS if encrypted else NO_KEYS)
    yield opened
    await opened.close()
