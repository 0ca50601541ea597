"""Fixtures that several kinds of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.postgres_cluster import PostgresCluster, postgres_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """One PostgreSQL server for the whole session; each test makes its own database."""
    with postgres_cluster() as cluster:
        yield cluster
