"""``meshflow compliance report`` judges a run in a ledger file, without a server."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.run import Principal, RunRequest
from meshflow_grpc.storage.factory import open_storage
from tests.fakes.providers import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]
    Recorded = Callable[[dict[str, object]], str]

ANN = Principal("ann", "default", method="jwt")


async def record(path: Path, policy: dict[str, object], principal: Principal = ANN) -> str:
    """Runs the default workflow on a ledger file; returns the run's id."""
    storage = await open_storage(str(path))
    runtime = assemble(Outside(storage, FakeProvider()), RuntimeOptions())
    request = RunRequest(task="tides", policy=policy, labels={"purpose": "<b>planning</b>"})
    run = await runtime.commands.run.execute(principal, request)
    await storage.close()
    return run.run_id


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def recorded(ledger: Path, capsys: pytest.CaptureFixture[str]) -> Recorded:
    """Records a run under a policy; what the server logs meanwhile is not what the command prints."""

    def run(policy: dict[str, object]) -> str:
        run_id = asyncio.run(record(ledger, policy))
        capsys.readouterr()
        return run_id

    return run


def test_a_run_that_meets_its_profile_exits_with_0(ledger: Path, recorded: Recorded, meshflow: Meshflow) -> None:
    """The profiles of its policy are the default; JSON has a finding for each control."""
    run_id = recorded({"compliance": ("gdpr", "hipaa")})
    table = meshflow("compliance", "report", run_id, "--db", str(ledger))
    data = json.loads(meshflow("compliance", "report", run_id, "--db", str(ledger), "--format", "json").out)

    assert table.code == 0
    assert table.out.splitlines()[0].split()[:3] == ["CONTROL", "FINDING", "SOURCE"]
    assert "chain valid" in table.out
    assert (data["profiles"], data["chain"]["valid"]) == (["gdpr", "hipaa"], True)
    assert (data["summary"]["fail"], sum(data["summary"].values())) == (0, len(data["controls"]))


def test_a_control_that_fails_exits_with_1(ledger: Path, recorded: Recorded, meshflow: Meshflow) -> None:
    """A profile the run was never held to can be asked for."""
    run_id = recorded({})
    finished = meshflow("compliance", "report", run_id, "--profile", "sox", "--db", str(ledger), "--format", "json")

    assert finished.code == 1
    failed = {c["id"] for c in json.loads(finished.out)["controls"] if c["finding"] == "fail"}
    assert failed == {"sox.profile"}


def test_html_is_one_page_in_which_a_run_can_write_nothing(
    ledger: Path, recorded: Recorded, meshflow: Meshflow
) -> None:
    """What a request says is escaped."""
    run_id = recorded({"compliance": ("gdpr",)})
    page = meshflow("compliance", "report", run_id, "--db", str(ledger), "--format", "html").out

    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;planning&lt;/b&gt;" in page
    assert "<b>planning" not in page


def test_a_tampered_chain_exits_with_6(ledger: Path, recorded: Recorded, meshflow: Meshflow) -> None:
    """Nothing passes on it."""
    run_id = recorded({"compliance": ("hipaa",)})
    with sqlite3.connect(ledger) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE ledger_entries SET output = '\"forged\"' WHERE node_id = 'writer'")
    connection.close()
    finished = meshflow("compliance", "report", run_id, "--db", str(ledger), "--format", "json")

    assert finished.code == 6
    data = json.loads(finished.out)
    assert (data["chain"]["valid"], data["summary"]["pass"]) == (False, 0)


def test_an_unknown_run_exits_with_6_and_no_profile_with_2(
    ledger: Path, recorded: Recorded, meshflow: Meshflow
) -> None:
    """As other commands on the ledger."""
    run_id = recorded({})

    assert meshflow("compliance", "report", "run_x", "--profile", "sox", "--db", str(ledger)).code == 6
    assert meshflow("compliance", "report", run_id, "--db", str(ledger)).code == 2
