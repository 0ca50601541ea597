"""Every store under test, plain and encrypted; a store that cannot pass a test is not a store."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.durable import Backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage
    from tests.postgres_cluster import PostgresCluster
    from tests.redis_server import RedisServer
    from tests.s3_gateway import S3Gateway

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


@pytest.fixture(
    params=[
        "sqlite",
        "memory",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("s3", marks=pytest.mark.s3),
    ]
)
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Each backend, empty."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", str(tmp_path / "other.db"))
    name: str = request.param
    if name == "postgres":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = cluster.new_database()
        return Backend(name, {"postgres_url": url}, url)
    if name == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        return Backend(name, {"redis_url": server.url})
    if name == "s3":
        gateway: S3Gateway = request.getfixturevalue("s3")
        for variable, value in gateway.environment.items():
            monkeypatch.setenv(variable, value)
        return Backend(name, {"s3_bucket": gateway.new_bucket(), "s3_prefix": "runs"})
    if name == "memory":
        return Backend(name, {})
    file = str(tmp_path / "runs.db")
    return Backend(name, {"db_path": file}, file)


@pytest.fixture
def run_id() -> str:
    """An id of the user's own."""
    return f"my-run.{secrets.token_hex(6)}"
