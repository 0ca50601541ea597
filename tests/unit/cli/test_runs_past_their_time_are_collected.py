"""``meshflow ledger gc`` on both engines, without a server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, finished, new_run, started
from tests.fakes.log_keys import KEYS, publisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshflow_grpc.domain.check import LogVerification
    from tests.postgres_cluster import PostgresCluster
    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]

OLD, YOUNG = "2020-01-01T00:00:00.000Z", "2199-01-01T00:00:00.000Z"


async def record(url: str) -> None:
    """An old run each of two tenants, an immutable one, one under SOX that is kept for long, one that is young, one that goes on."""
    storage = await open_storage(url)
    for run_id, tenant, time, policy in (
        ("run_old", "acme", OLD, {}),
        ("run_other", "other", OLD, {}),
        ("run_immutable", "acme", OLD, {"immutable_audit": True}),
        ("run_sox", "acme", "2024-01-01T00:00:00.000Z", {"compliance": ["sox"]}),
        ("run_young", "acme", YOUNG, {}),
    ):
        await storage.create_run(new_run(run_id, tenant, policy=policy), started(run_id, tenant), "")
        await storage.append(run_id, (replace(finished(run_id, tenant_id=tenant), time=time),), ENDED)
    await storage.create_run(new_run("run_running"), started("run_running"), "")
    await storage.append("run_running", (replace(started("run_running"), step_id="s", time=OLD),), RunChange())
    await publisher(storage).publish()
    await storage.close()


async def checked(url: str) -> LogVerification:
    """Verifies the log, after a server's next head."""
    storage = await open_storage(url)
    await publisher(storage).publish()
    result, _ = await verify_log(storage, KEYS.verifiers)
    await storage.close()
    return result


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The ledger."""
    if request.param == "sqlite":
        found = str(tmp_path / "ledger.db")
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        found = cluster.new_database()
    asyncio.run(record(found))
    return found


def test_what_is_past_its_time_goes_and_the_rest_is_explained(url: str, meshflow: Meshflow) -> None:
    """The dry run changes nothing and says the same; afterwards the log is whole and names each deletion."""
    gc = ("ledger", "gc", "--keep-days", "365", "--db", url)
    dry = json.loads(meshflow(*gc, "--dry-run", "-o", "json").out)
    assert {(each["run_id"], each["delete"], each["deleted"]) for each in dry} == {
        ("run_old", True, False),
        ("run_other", True, False),
        ("run_immutable", False, False),
        ("run_sox", False, False),
    }
    assert "17 CFR 210.2-06" in next(each["why"] for each in dry if each["run_id"] == "run_sox")
    assert asyncio.run(checked(url)).deletions == ()

    one = meshflow(*gc, "--tenant", "other", "--by", "cron")
    assert "run_other" in one.out
    assert "1 runs deleted, 0 kept" in one.out
    told = meshflow(*gc, "--by", "cron")
    assert told.code == 0
    assert "run_old" in told.out
    assert "never deleted" in told.out
    assert "1 runs deleted, 4 kept" in told.out
    assert "0 runs deleted, 4 kept" in meshflow(*gc).out
    result = asyncio.run(checked(url))
    assert result, result.faults
    assert sorted((each.run_id, each.principal_id) for each in result.deletions) == [
        ("run_old", "cron"),
        ("run_other", "cron"),
    ]
    assert "retention" in result.deletions[0].basis


def test_nothing_is_collected_without_a_time_or_below_the_least(
    url: str, meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable works as the option does."""
    assert meshflow("ledger", "gc", "--db", url).code == 2
    short = meshflow("ledger", "gc", "--keep-days", "30", "--db", url)
    assert short.code == 2
    assert "183" in short.err
    monkeypatch.setenv("MESHFLOW_RETENTION_DAYS", "400")
    assert "2 would delete, 4 kept" in meshflow("ledger", "gc", "--dry-run", "--db", url).out
