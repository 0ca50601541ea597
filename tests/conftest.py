"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres_cluster import PostgresCluster, postgres_cluster
from tests.redis_server import RedisServer, redis_server
from tests.s3_gateway import S3Gateway, s3_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a property says does not depend on how long the machine takes for an example; in CI, Hypothesis has such a profile by itself.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if os.environ.get("CI") != "true":
    settings.load_profile("any-machine")
# Whoever is started in the background inherits that Ctrl-C is ignored, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
