"""The upgrade after which servers share a database: two take over what one of the version before left, runs in flight included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.storage.postgres.migrate import migrations
from tests.e2e.conftest import MeshflowServer, StartServer, start_server
from tests.postgres_cluster import binaries

if TYPE_CHECKING:
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
HERE = Path(__file__).parent
BEFORE = HERE / "postgres_ledger_of_schema_8.sql"
VKEY = (HERE / "postgres_ledger_of_schema_8.vkey").read_text("utf-8").strip()
STATUSES = {"completed": 2, "paused": 1, "running": 1}

__all__ = ["start_server"]


def _restored(postgres: PostgresCluster) -> str:
    url = postgres.new_database()
    _psql(url, "--quiet", "--output", os.devnull, "--file", str(BEFORE))
    found = _psql(
        url, "--command", "SELECT json_object_agg(status, n) FROM (SELECT status, count(*) n FROM runs GROUP BY 1) s"
    )
    assert json.loads(found) == STATUSES
    return url


@pytest.fixture(scope="module")
def database(postgres: PostgresCluster) -> str:
    """The dump, restored, for the replicas."""
    return _restored(postgres)


@pytest.fixture(scope="module")
def replicas(
    database: str, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> list[MeshflowServer]:
    """Two servers of this version, started at the same moment, with one key that takes over from the old one."""
    tmp_path = tmp_path_factory.mktemp("replicas")
    made = [sys.executable, "-m", "meshflow_grpc", "ledger", "keygen", "log.example.org/new", str(tmp_path / "key")]
    subprocess.run(made, check=True, capture_output=True)
    environment = {
        "MESHFLOW_LEDGER_DB": database,
        "MESHFLOW_SIGNING_KEY_FILE": str(tmp_path / "key"),
        "MESHFLOW_PREVIOUS_SIGNING_KEY": VKEY,
        "MESHFLOW_LOG_ORIGIN": VKEY.partition("+")[0],
    }
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(start_server, tmp_path, **environment) for _ in range(2)]
        return [future.result() for future in started]


def _psql(url: str, *arguments: str) -> str:
    where = binaries()
    assert where is not None
    program = where / "psql"
    command = [str(program if program.exists() else "psql"), "--dbname", url, "--no-psqlrc", "--tuples-only"]
    done = subprocess.run(
        [*command, "--set", "ON_ERROR_STOP=1", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _meshflow(database: str, *words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "meshflow_grpc", *words, "--db", database, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout)


def test_what_an_upgrade_will_do_is_told_before_it_does_it(postgres: PostgresCluster) -> None:
    """Status and dry run change nothing; migrate applies; each version's time is kept in the database."""
    database = _restored(postgres)
    code, found = _meshflow(database, "db", "status")
    assert (code, found["version"]) == (1, 8)
    assert found["pending"][0] == 10
    assert _meshflow(database, "db", "migrate", "--dry-run") == (0, found)
    assert _meshflow(database, "db", "migrate")[0] == 0
    code, after = _meshflow(database, "db", "status")
    assert (code, after) == (0, {"version": found["pending"][-1], "pending": []})
    kept = _psql(database, "--command", "SELECT version FROM meshflow_migrations ORDER BY applied_time, version")
    assert kept.split() == ["1", "2", "3", "4", "5", "6", "7", "8", *map(str, found["pending"])]


def test_the_log_says_what_was_upgraded(replicas: list[MeshflowServer]) -> None:
    """From which schema to which, in the log of whoever found it old."""
    lines = [line for replica in replicas for line in replica.log if line["event"] == "schema_migrated"]
    assert lines
    assert {line["from_version"] for line in lines} <= {8, 10}
    assert {line["to_version"] for line in lines} == {migrations()[-1][0]}


def test_two_servers_take_over_and_every_run_goes_on(replicas: list[MeshflowServer]) -> None:
    """The run left running completes, the one that waits is approved on the other server, all verify, and no entry is there twice."""
    one, other = replicas
    runs = one.get("/v1/runs").json()["runs"]
    assert len(runs) == sum(STATUSES.values())
    (waiting,) = [run["run_id"] for run in runs if run["status"] == "paused"]
    approval = other.get(f"/v1/runs/{waiting}").json()["pending_approval"]["approval_id"]
    assert other.post(f"/v1/approvals/{approval}:decide", {"decision": "approve"}).status_code == 200
    for run in runs:
        done = one.get(f"/v1/runs/{run['run_id']}:wait", params={"timeout_s": 30}).json()
        assert done["status"] == "completed", done
        for replica in replicas:
            verified = replica.get(f"/v1/runs/{run['run_id']}:verify").json()
            assert verified["valid"], verified


def test_what_was_registered_and_what_was_promised_still_holds(replicas: list[MeshflowServer], database: str) -> None:
    """The workflow of before runs under its name and version, and the immutable run is deleted by nobody."""
    run = replicas[0].post("/run", {"task": "another release", "workflow": "release@1"}).json()
    assert (run["status"], run["workflow"]) == ("paused", "release")
    immutable = "SELECT run_id FROM runs WHERE policy::json->>'immutable_audit' = 'true'"
    with pytest.raises(AssertionError, match="immutable"):
        _psql(database, "--command", f"DELETE FROM ledger_entries WHERE run_id IN ({immutable})")


def test_the_old_heads_stay_believed_and_new_ones_follow(replicas: list[MeshflowServer], database: str) -> None:
    """The log grows from where the version before signed it."""
    before = int(_psql(database, "--command", "SELECT min(size) FROM checkpoints"))
    replicas[1].post("/run", {"task": "after the upgrade"})
    assert [replica.stop() for replica in replicas] == [0, 0]
    newest = _psql(database, "--command", "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1")
    assert int(newest.split("|")[0]) > before
    assert "log.example.org/new" in newest
