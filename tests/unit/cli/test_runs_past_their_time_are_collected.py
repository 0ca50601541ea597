"""``meshflow ledger gc`` on both engines, without a server."""

from __future__ import annotations

import asyncio
import json
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
        await storage.append(run_id, (finished(run_id, tenant_id=tenant)._replace(time=time),), ENDED)
    await storage.create_run(new_run("run_running"), started("run_running"), "")
    await storage.append("run_running", (started("run_running")._replace(step_id="s", time=OLD),), RunChange())
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
    dry = meshflow("ledger", "gc", "--dry-run", "--db", url)
    assert (dry.code, "0 would delete, 6 kept" in dry.out, "no period is set" in dry.err) == (0, True, True)
    short = meshflow("ledger", "gc", "--keep-days", "30", "--db", url)
    assert short.code == 2
    assert "183" in short.err
    monkeypatch.setenv("MESHFLOW_RETENTION_DAYS", "400")
    assert "2 would delete, 4 kept" in meshflow("ledger", "gc", "--dry-run", "--db", url).out


async def record_payloads(url: str) -> None:
    """Immutable runs whose payloads have 30 days: one that is over, one under a legal hold, and one whose time has not come."""
    storage = await open_storage(url)
    held = {"legal_hold": "case 7"}
    for run_id, days, labels in (("run_brief", 30, {}), ("run_held", 30, held), ("run_long", 36_525, {})):
        draft = started(run_id)._replace(facts={"workflow": "default", "payload_days": days})
        await storage.create_run(new_run(run_id, policy={"immutable_audit": True}, labels=labels), draft, "")
        await storage.append(run_id, (finished(run_id)._replace(time="2024-01-01T00:00:00.000Z"),), ENDED)
    await storage.close()


async def payloads(url: str, run_id: str) -> list[str | None]:
    """What is left of the inputs of a run, and the basis of what took it away."""
    storage = await open_storage(url, read_only=True)
    entries = await storage.entries("acme", run_id)
    await storage.close()
    return [entries[0].input, *(str(entry.facts["basis"]) for entry in entries if entry.kind.value == "erasure")]


def test_payloads_go_when_the_time_their_runs_start_gave_them_is_over(url: str, meshflow: Meshflow) -> None:
    """No run is deleted; what goes says why, once, and what is held stays."""
    asyncio.run(record_payloads(url))
    gc = ("ledger", "gc", "--payloads-only", "--by", "cron", "--db", url)
    dry = meshflow(*gc, "--dry-run")
    assert "0 would delete, 1 would erase payloads, 8 kept" in dry.out
    assert asyncio.run(payloads(url, "run_brief")) == ['{"task":"t"}']
    told = json.loads(meshflow(*gc, "-o", "json").out)

    assert {(each["run_id"], each["erased"], each["deleted"]) for each in told} == {
        ("run_brief", True, False),
        ("run_held", False, False),
    }
    assert asyncio.run(payloads(url, "run_brief")) == [
        None,
        "retention: its start gave its payloads 30 days after its end",
    ]
    assert asyncio.run(payloads(url, "run_held")) == ['{"task":"t"}']
    assert asyncio.run(payloads(url, "run_long")) == ['{"task":"t"}']
    assert "0 runs deleted, 9 kept" in meshflow(*gc).out


def test_payloads_go_beside_runs(url: str, meshflow: Meshflow) -> None:
    """Without the option both are collected; it makes no sense with days for runs."""
    asyncio.run(record_payloads(url))
    assert meshflow("ledger", "gc", "--payloads-only", "--keep-days", "365", "--db", url).code == 2
    told = meshflow("ledger", "gc", "--keep-days", "365", "--db", url)

    assert "2 runs deleted, 1 without payloads, 6 kept" in told.out
