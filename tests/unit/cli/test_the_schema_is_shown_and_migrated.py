"""`meshflow db`: the schema of a ledger, in a file and in PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.storage.factory import is_postgres
from meshflow_grpc.storage.postgres import migrate as postgres
from meshflow_grpc.storage.sqlite import migrate as sqlite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.postgres_cluster import PostgresCluster
    from tests.unit.cli.conftest import Finished


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a ledger that does not exist yet."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return cluster.new_database()


def test_a_new_ledger_is_migrated_once(meshflow: Callable[..., Finished], ledger: str) -> None:
    """A dry run shows what is pending and changes nothing; afterwards nothing is."""
    migrations = postgres.migrations() if is_postgres(ledger) else sqlite.migrations()
    everything = [number for number, _ in migrations]
    before = meshflow("db", "status", "--db", ledger, "-o", "json")
    assert (before.code, json.loads(before.out)) == (1, {"version": 0, "pending": everything})

    dry = meshflow("db", "migrate", "--dry-run", "--db", ledger, "-o", "json")
    assert (dry.code, json.loads(dry.out)["pending"], dry.err) == (0, everything, "nothing was changed\n")
    assert meshflow("db", "status", "--db", ledger).code == 1

    assert meshflow("db", "migrate", "--db", ledger).err == f"applied {len(everything)} migrations\n"
    after = meshflow("db", "status", "--db", ledger, "-o", "json")
    assert (after.code, json.loads(after.out)) == (0, {"version": everything[-1], "pending": []})
    assert meshflow("db", "migrate", "--db", ledger).err == ""


def test_a_database_of_another_program_is_left_alone(meshflow: Callable[..., Finished], tmp_path: Path) -> None:
    """It is named, and keeps its tables."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    ended = meshflow("db", "migrate", "--db", str(path))
    assert ended.code == 5
    assert "not a meshflow ledger" in ended.err


def test_a_database_that_cannot_be_reached_is_said(meshflow: Callable[..., Finished]) -> None:
    """Exit code 5, without the password."""
    ended = meshflow("db", "status", "--db", "postgresql://me:secret@127.0.0.1:1/x")
    assert ended.code == 5
    assert "cannot be reached" in ended.err
    assert "secret" not in ended.err
