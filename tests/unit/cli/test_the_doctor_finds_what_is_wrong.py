"""`meshflow doctor`: every check finds what it is there for."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from meshflow_grpc.app import doctor
from meshflow_grpc.app.assembly import Outside, RuntimeOptions, assemble
from meshflow_grpc.config.settings import Settings
from meshflow_grpc.config.signing import log_keys
from meshflow_grpc.domain.mesh import MeshNode
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.storage.mesh_registry.factory import open_registry
from meshflow_grpc.system import SystemClock

Examined = tuple[int, dict[str, dict[str, Any]]]

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.postgres_cluster import PostgresCluster
    from tests.unit.cli.conftest import Finished


@pytest.fixture
def examine(
    meshflow: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Examined]:
    """Runs the doctor with variables set; returns the exit code and the findings by check."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_DATA_DIR", str(tmp_path))

    def run(**variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        ended = meshflow("doctor", "-o", "json")
        return ended.code, {found["check"]: found for found in json.loads(ended.out)}

    return run


async def _signed_ledger(directory: Path) -> None:
    settings = Settings.load(data_dir=directory)
    storage = await open_storage(settings.ledger_db)
    try:
        runtime = assemble(Outside(storage, MockProvider(), log_keys=log_keys(settings)), RuntimeOptions())
        await runtime.log.open()
    finally:
        await storage.close()


def test_a_fresh_machine_is_fine(examine: Any) -> None:
    """Nothing fails; that the ledger is yet to be made is a warning."""
    code, found = examine()
    assert code == 0
    assert {name: finding["state"] for name, finding in found.items()} == {
        "configuration": "ok",
        "database": "ok",
        "writing": "ok",
        "migrations": "warning",
        "keys": "ok",
        "authentication": "ok",
        "provider": "ok",
        "envoy": "ok",
        "mesh": "ok",
        "temporal": "ok",
        "clock": "ok",
        "disk": "ok",
    }


def test_a_bad_configuration_is_told_whole(examine: Any) -> None:
    """Each problem is a finding with its remedy."""
    code, found = examine(MESHFLOW_PORT="99999")
    assert code == 1
    assert found["configuration"]["state"] == "failed"
    assert "MESHFLOW_PORT" in found["configuration"]["detail"]
    assert found["configuration"]["remedy"]


def test_a_key_file_that_a_server_would_refuse_fails(examine: Any, tmp_path: Path) -> None:
    """Before it is deployed: a server would say so only after it opened its ledger."""
    keys = tmp_path / "api-keys"
    keys.write_text('{"keys": [')
    code, found = examine(MESHFLOW_AUTH="api_key", MESHFLOW_API_KEYS_FILE=str(keys))
    assert (code, found["authentication"]["state"]) == (1, "failed")
    assert "API key file" in found["authentication"]["detail"]
    keys.write_text('{"keys": []}')
    code, found = examine()
    assert (code, found["authentication"]["state"]) == (0, "ok")


def test_a_database_that_is_away_fails(examine: Any) -> None:
    """And so do the checks that need it, while the others go on."""
    code, found = examine(MESHFLOW_LEDGER_DB="postgresql://127.0.0.1:1/x")
    assert code == 1
    assert [found[name]["state"] for name in ("database", "migrations", "clock")] == ["failed"] * 3
    assert found["provider"]["state"] == "ok"


def test_a_key_that_did_not_sign_the_log_fails(examine: Any, tmp_path: Path) -> None:
    """The server would refuse to start with it; the doctor says so before."""
    asyncio.run(_signed_ledger(tmp_path))
    assert examine()[1]["keys"]["state"] == "ok"
    (key,) = tmp_path.glob("*.signing-key")
    key.unlink()
    _put_another_key(tmp_path / "other", key)
    code, found = examine()
    assert (code, found["keys"]["state"]) == (1, "failed")
    assert "MESHFLOW_PREVIOUS_SIGNING_KEY" in found["keys"]["detail"]


def _put_another_key(directory: Path, key: Path) -> None:
    directory.mkdir()
    asyncio.run(_signed_ledger(directory))
    (other,) = directory.glob("*.signing-key")
    shutil.copy(other, key)


def test_a_provider_that_does_not_answer_fails(examine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key alone proves nothing: the provider is asked, at no cost."""
    monkeypatch.delenv("MESHFLOW_MOCK")
    code, found = examine(ANTHROPIC_API_KEY="sk-ant-x", MESHFLOW_ANTHROPIC_BASE_URL="http://127.0.0.1:1")
    assert (code, found["provider"]["state"]) == (1, "failed")
    assert "sk-ant-x" not in str(found)


def test_an_envoy_that_is_not_there_fails(examine: Any, tmp_path: Path) -> None:
    """Named by the configuration, missing on disk, or no program at all."""
    broken = tmp_path / "envoy"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    code, found = examine(MESHFLOW_ENVOY=str(broken))
    assert (code, found["envoy"]["state"]) == (1, "failed")


def test_a_full_disk_fails_a_ledger_in_a_file(examine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than the least that must be free."""
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 1 << 62)
    code, found = examine()
    assert (code, found["disk"]["state"]) == (1, "failed")


def test_a_node_that_nobody_finds_is_a_warning(examine: Any) -> None:
    """A node whose registry is its own memory."""
    code, found = examine(MESHFLOW_MESH_SLUG="build.ai")
    assert (code, found["mesh"]["state"]) == (0, "warning")
    assert "MESHFLOW_MESH_REGISTRY" in found["mesh"]["remedy"]


def test_the_registry_of_nodes_is_read_and_not_made(examine: Any, tmp_path: Path) -> None:
    """It tells who was heard of in time, and that there is none yet."""
    registry = tmp_path / "nodes.db"
    code, found = examine(MESHFLOW_MESH_SLUG="build.ai", MESHFLOW_MESH_REGISTRY=str(registry))
    assert (code, found["mesh"]["state"]) == (0, "ok")
    assert not registry.exists()
    asyncio.run(_registered(registry, "marco.ai", SystemClock().now()))
    asyncio.run(_registered(registry, "gone.ai", "2020-01-01T00:00:00.000Z"))
    told = examine()[1]["mesh"]["detail"]
    assert "of 2 nodes" in told
    assert told.endswith("marco.ai")


def test_a_registry_that_cannot_be_read_fails(examine: Any, tmp_path: Path) -> None:
    """A file that is no database, and a server that is away."""
    (tmp_path / "nodes.db").write_text("not a database, and longer than the header of one" * 10)
    for registry in (str(tmp_path / "nodes.db"), "postgresql://127.0.0.1:1/x"):
        code, found = examine(MESHFLOW_MESH_SLUG="build.ai", MESHFLOW_MESH_REGISTRY=registry)
        assert (code, found["mesh"]["state"]) == (1, "failed")
        assert "registry of nodes" in found["mesh"]["detail"]


def test_a_ledger_that_cannot_be_written_fails(examine: Any, tmp_path: Path) -> None:
    """A file beside it, or its folder, that the server could not use; the remedy is said."""
    ledger = tmp_path / "ledger.db"
    (tmp_path / "ledger.db.lock").mkdir()
    code, found = examine(MESHFLOW_LEDGER_DB=str(ledger))
    assert (code, found["writing"]["state"], found["database"]["state"]) == (1, "failed", "ok")
    assert f"{ledger}.lock cannot be written: Is a directory" in found["writing"]["detail"]
    assert "MESHFLOW_LEDGER_DB" in found["writing"]["remedy"]
    (tmp_path / "file").write_text("no folder")
    assert examine(MESHFLOW_LEDGER_DB=str(tmp_path / "file" / "ledger.db"))[1]["writing"]["state"] == "failed"
    found = examine(MESHFLOW_LEDGER_DB="memory:")[1]
    assert (found["writing"]["state"], found["migrations"]["state"]) == ("ok", "ok")


def test_a_ledger_is_as_it_was_after_the_examination(examine: Any, tmp_path: Path) -> None:
    """Neither its bytes nor its times change, and nothing is left beside it but what SQLite keeps for readers."""
    asyncio.run(_signed_ledger(tmp_path))

    def seen() -> dict[str, tuple[int, bytes]]:
        return {each.name: (each.stat().st_mtime_ns, each.read_bytes()) for each in tmp_path.iterdir()}

    before = seen()
    assert examine()[0] == 0
    after = seen()
    assert {name: after[name] for name in before} == before
    assert {name[-4:] for name in after.keys() - before.keys()} <= {"-wal", "-shm"}


@pytest.mark.postgres
def test_a_database_that_takes_no_writes_fails(examine: Any, postgres: PostgresCluster) -> None:
    """A role that may only read, and one whose transactions are read-only."""
    url = postgres.new_database()
    looker = f"looker_of_{url.rpartition('/')[2]}"

    async def prepare() -> None:
        await (await open_storage(url)).close()
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE ROLE {looker} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {looker}")
        await connection.close()

    asyncio.run(prepare())
    assert examine(MESHFLOW_LEDGER_DB=url)[1]["writing"]["state"] == "ok"
    code, found = examine(MESHFLOW_LEDGER_DB=url.replace("postgres@", f"{looker}@"))
    assert (code, found["writing"]["detail"]) == (1, "the database role may not write the ledger's tables")
    code, found = examine(MESHFLOW_LEDGER_DB=f"{url}?options=-c%20default_transaction_read_only%3Don")
    assert (code, found["writing"]["detail"]) == (1, "the database is read-only; name the primary")


async def _registered(registry: Path, slug: str, heartbeat_at: str) -> None:
    opened = await open_registry(str(registry))
    await opened.register(
        MeshNode(f"id-of-{slug}", slug, "", ("h:1",), (), None, False, "1", heartbeat_at, heartbeat_at, 30.0)
    )
    await opened.close()
