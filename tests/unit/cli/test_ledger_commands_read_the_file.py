"""``meshflow ledger`` reads and verifies a ledger file without a server, and beside one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.ledger_entry import GENESIS_HASH, EntryDraft, EntryKind
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.factory import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]

NOW = "2026-01-02T03:04:05.678Z"


async def record(path: Path, *run_ids: str) -> None:
    """Writes runs of three entries each."""
    storage = await open_storage(str(path))
    for run_id in run_ids:
        run = Run(run_id, "default", "default", RunStatus.RUNNING, "d" * 64, {}, NOW, NOW)
        await storage.create_run(run, EntryDraft(run_id, "default", EntryKind.RUN_STARTED, NOW), "fingerprint")
        step = EntryDraft(
            run_id, "default", EntryKind.STEP_COMMITTED, NOW, "writer", f"{run_id}/1", input='"in"', output='"out"'
        )
        end = EntryDraft(run_id, "default", EntryKind.RUN_FINISHED, NOW)
        await storage.append(run_id, [step, end], RunChange(status=RunStatus.COMPLETED, output="out"))
    await storage.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of two runs."""
    path = tmp_path / "ledger.db"
    asyncio.run(record(path, "run_a", "run_b"))
    return path


def test_show_lists_the_chain(ledger: Path, meshflow: Meshflow) -> None:
    """Each entry is a row with its place, node, kind and hashes; the first links to the genesis hash."""
    table = meshflow("ledger", "show", "run_a", "--db", str(ledger))
    entries = json.loads(meshflow("ledger", "show", "run_a", "--db", str(ledger), "-o", "json").out)

    assert table.code == 0
    assert table.out.splitlines()[0].split() == ["SEQ", "RUN", "NODE", "KIND", "TIME", "PREV_HASH", "HASH"]
    assert len(table.out.splitlines()) == 4
    assert entries[0]["prev_hash"] == GENESIS_HASH
    assert [entry["prev_hash"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]
    assert entries[1]["output"] == '"out"'


def test_verify_without_a_run_checks_all(ledger: Path, meshflow: Meshflow) -> None:
    """Every run has a verdict; all valid is 0."""
    finished = meshflow("ledger", "verify", "--db", str(ledger))

    assert finished.code == 0
    assert [line.split()[:3] for line in finished.out.splitlines()[1:-1]] == [
        ["run_b", "valid", "3"],
        ["run_a", "valid", "3"],
    ]


def test_an_edited_entry_is_6_and_named(ledger: Path, meshflow: Meshflow) -> None:
    """An output changed behind the ledger's back is found in its entry; other runs stay valid."""
    with sqlite3.connect(ledger) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        changed = connection.execute(
            "UPDATE ledger_entries SET output = '{\"tampered\": true}' WHERE run_id = 'run_a' AND node_id = 'writer'"
        )
        assert changed.rowcount == 1
    connection.close()

    finished = meshflow("ledger", "verify", "run_a", "run_b", "--db", str(ledger))
    verdicts = json.loads(meshflow("ledger", "verify", "run_a", "--db", str(ledger), "-o", "json").out)

    assert finished.code == 6
    assert "run_a: entry 2 (seq 2, node writer): " in finished.out
    assert [line.split()[1] for line in finished.out.splitlines()[1:3]] == ["TAMPERED", "valid"]
    assert verdicts[0]["valid"] is False
    assert verdicts[0]["faults"][0]["sequence"] == 2


def test_an_unknown_run_is_6(ledger: Path, meshflow: Meshflow) -> None:
    """A run the ledger does not hold is a failed verification, not an empty success."""
    for command in ("show", "verify"):
        finished = meshflow("ledger", command, "run_x", "--db", str(ledger))
        assert finished.code == 6
        assert "run_x" in finished.err


def test_another_tenants_runs_are_not_shown(ledger: Path, meshflow: Meshflow) -> None:
    """--tenant selects whose runs are read."""
    assert meshflow("ledger", "show", "run_a", "--tenant", "other", "--db", str(ledger)).code == 6


def test_no_ledger_is_5_and_nothing_is_created(tmp_path: Path, meshflow: Meshflow) -> None:
    """A path without a ledger is told; reading never makes a file."""
    finished = meshflow("ledger", "verify", "--db", str(tmp_path / "none.db"))

    assert finished.code == 5
    assert "none.db" in finished.err
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_of_the_environment_is_the_default(
    ledger: Path, meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --db, MESHFLOW_LEDGER_DB names the ledger, and no model provider is needed."""
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", str(ledger))

    assert meshflow("ledger", "verify", "run_b").code == 0


async def test_a_ledger_in_use_can_be_verified(ledger: Path) -> None:
    """While a server holds the file, verification reads beside it."""
    storage = await open_storage(str(ledger))
    try:
        command = [*("-m", "meshflow_grpc", "ledger", "verify", "--db", str(ledger))]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
    finally:
        await storage.close()

    assert process.returncode == 0, err.decode()
    assert out.decode().count("valid") == 3
