"""Fixtures that several kinds of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.postgres_cluster import PostgresCluster, postgres_cluster
from tests.redis_server import RedisServer, redis_server
from tests.s3_gateway import S3Gateway, s3_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """One PostgreSQL server for the whole session; each test makes its own database."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """One Redis server for the whole session; each test uses run ids of its own."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Gateway]:
    """One S3 server for the whole session; each test makes its own bucket."""
    with s3_gateway() as gateway:
        yield gateway
