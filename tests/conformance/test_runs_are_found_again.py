"""Runs of every store: created once per request id, listed newest first, invisible to other tenants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import (
    InvalidRequestError,
    LedgerUnavailableError,
    RequestIdReusedError,
    RunConflictError,
    RunNotFoundError,
)
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ports.storage import CreatedRun, RunChange, RunQuery
from tests.conformance.drafts import TENANT, create, new_run, started, step, time_of, verified, whole_run

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import Storage


async def test_a_created_run_reads_back_whole(storage: Storage) -> None:
    """A run reads back as it was created, with its first entry counted."""
    created = await create(storage, "run_1", request_id="r", session_id="s", reason="why", output="early")
    assert created.created
    assert created.entry is not None
    made = new_run("run_1", request_id="r", session_id="s", reason="why", output="early")
    expected = made._replace(entries=1, head_hash=created.entry.hash)
    assert created.run == expected
    assert await storage.get_run(TENANT, "run_1") == expected
    assert await verified(storage, "run_1")


async def test_the_same_request_returns_the_earlier_run(storage: Storage) -> None:
    """MUST return the earlier run (created=False, entry=None) when (tenant_id, request_id) was used with the same fingerprint."""
    await create(storage, "run_1", request_id="r")
    await storage.append("run_1", (step("run_1", 1),))
    again = await create(storage, "run_2", request_id="r")
    assert (again.created, again.entry, again.run) == (False, None, await storage.get_run(TENANT, "run_1"))
    with pytest.raises(RunNotFoundError):
        await storage.get_run(TENANT, "run_2")
    assert (await create(storage, "run_3", tenant_id="other", request_id="r")).created


async def test_another_request_with_the_id_is_refused(storage: Storage) -> None:
    """Raises RequestIdReusedError when it was used with another fingerprint."""
    await create(storage, "run_1", request_id="r")
    with pytest.raises(RequestIdReusedError) as refusal:
        await storage.create_run(new_run("run_2", request_id="r"), started("run_2"), "another")
    assert refusal.value.metadata["run_id"] == "run_1"


async def test_simultaneous_requests_create_one_run(storage: Storage) -> None:
    """Twenty callers with one request id at once get one run between them."""
    answers = await asyncio.gather(*(create(storage, f"run_{place:02}", request_id="r") for place in range(20)))
    assert sum(answer.created for answer in answers) == 1
    assert len({answer.run.run_id for answer in answers}) == 1


async def test_a_run_id_is_taken_once(storage: Storage) -> None:
    """A second run with the same id is refused, and the first is left as it was."""
    await create(storage, "run_1")
    before = await storage.get_run(TENANT, "run_1")
    with pytest.raises(RunConflictError):
        await storage.create_run(new_run("run_1", workflow="x"), started("run_1")._replace(step_id="other"), "f")
    assert await storage.get_run(TENANT, "run_1") == before


async def test_other_tenants_runs_are_not_found(storage: Storage) -> None:
    """Raises RunNotFoundError, also for another tenant's run, from every read."""
    await create(storage, "run_1")
    for tenant_id, run_id in (("other", "run_1"), (TENANT, "run_2")):
        with pytest.raises(RunNotFoundError):
            await storage.get_run(tenant_id, run_id)
        with pytest.raises(RunNotFoundError):
            await storage.entries(tenant_id, run_id)
        with pytest.raises(RunNotFoundError):
            await verified(storage, run_id, tenant_id)
    assert (await storage.list_runs(RunQuery("other"))).runs == ()


async def test_entries_come_in_pages_in_order(storage: Storage) -> None:
    """Returns entries of a run with a greater sequence, in order."""
    await whole_run(storage, "run_1", steps=5)
    everything = await storage.entries(TENANT, "run_1")
    assert [entry.sequence for entry in everything] == [1, 2, 3, 4, 5, 6, 7]
    assert await storage.entries(TENANT, "run_1", after_sequence=2, limit=3) == everything[2:5]
    assert await storage.entries(TENANT, "run_1", after_sequence=7) == ()
    assert everything[1].facts["text"] == 'ü\x1f"\U0001f600'


async def test_runs_come_newest_first_and_none_twice(storage: Storage) -> None:
    """Returns a page of runs, newest first; a run created meanwhile never repeats or hides another one."""
    for place in range(10, 17):
        await create(storage, f"run_{place}")
    seen, token = [], ""
    for turn in range(4):
        page = await storage.list_runs(RunQuery(TENANT, page_size=2, page_token=token))
        seen += [run.run_id for run in page.runs]
        token = page.next_page_token
        await create(storage, f"run_{20 + turn}")
    assert seen == ["run_16", "run_15", "run_14", "run_13", "run_12", "run_11", "run_10"]
    assert token == ""


async def test_a_zero_character_is_an_error_of_its_caller_alone(storage: Storage) -> None:
    """PostgreSQL's texts cannot hold U+0000: that is no failure of the ledger, and neighbours in the batch are written."""
    odd, even = await asyncio.gather(create(storage, "run_\0"), create(storage, "run_2"), return_exceptions=True)
    assert isinstance(odd, InvalidRequestError | CreatedRun)
    assert isinstance(even, CreatedRun)
    query = RunQuery(TENANT, session_id="a\0b")
    lookups = (storage.get_run(TENANT, "x\0"), storage.list_runs(query), storage.get_workflow(TENANT, "x\0"))
    for found in await asyncio.gather(*lookups, return_exceptions=True):
        assert not isinstance(found, LedgerUnavailableError)
    await storage.append("run_2", (step("run_2", 1),))
    assert await verified(storage, "run_2")


async def test_runs_are_filtered(storage: Storage) -> None:
    """A list shows only runs of the status and workflow asked for."""
    await create(storage, "run_1", workflow="a")
    await create(storage, "run_2", workflow="b")
    await whole_run(storage, "run_3")
    for query, expected in (
        (RunQuery(TENANT, workflow="a"), ["run_1"]),
        (RunQuery(TENANT, status="running"), ["run_2", "run_1"]),
        (RunQuery(TENANT, status="completed", workflow="default"), ["run_3"]),
        (RunQuery(TENANT, status="failed"), []),
    ):
        assert [run.run_id for run in (await storage.list_runs(query)).runs] == expected


async def test_a_token_of_another_list_is_refused(storage: Storage) -> None:
    """``page_token`` is opaque; raises InvalidRequestError when it is not one of ours, or of a list with other filters."""
    await create(storage, "run_1")
    await create(storage, "run_2")
    token = (await storage.list_runs(RunQuery(TENANT, page_size=1))).next_page_token
    flipped = ("A" if token[0] != "A" else "B") + token[1:]
    for query in (
        RunQuery(TENANT, page_token="garbage"),
        RunQuery(TENANT, page_token="ü"),
        RunQuery(TENANT, page_token=flipped),
        RunQuery("other", page_token=token),
        RunQuery(TENANT, page_token=token, status="running"),
    ):
        with pytest.raises(InvalidRequestError, match="page_token"):
            await storage.list_runs(query)


@pytest.mark.parametrize(
    ("query", "field"), [(RunQuery(TENANT, page_size=0), "page_size"), (RunQuery(TENANT, status="x"), "status")]
)
async def test_a_bad_query_is_refused(storage: Storage, query: RunQuery, field: str) -> None:
    """A page size or status out of range is an invalid request that names the field."""
    with pytest.raises(InvalidRequestError, match=field):
        await storage.list_runs(query)


async def test_unfinished_runs_are_the_running_ones(storage: Storage) -> None:
    """Returns all running runs of all tenants, oldest first, for recovery after a restart."""
    await create(storage, "run_3")
    await create(storage, "run_1", tenant_id="other")
    await create(storage, "run_2")
    await storage.append("run_2", (step("run_2", 1),), RunChange(status=RunStatus.PAUSED))
    await whole_run(storage, "run_4")
    assert [run.run_id for run in await storage.unfinished_runs()] == ["run_1", "run_3"]
    await storage.append("run_2", (step("run_2", 2),), RunChange(status=RunStatus.RUNNING))
    assert await storage.paused_runs() == ()
    assert [run.run_id for run in await storage.unfinished_runs()] == ["run_1", "run_2", "run_3"]


async def test_a_run_that_goes_on_meanwhile_never_looks_tampered_with(storage: Storage) -> None:
    """MUST read one moment: a run that goes on meanwhile never looks tampered with."""
    await create(storage, "run_1")

    async def drive() -> None:
        for place in range(1, 101):
            await storage.append("run_1", (step("run_1", place),))

    task = asyncio.create_task(drive())
    checked = 0
    while not task.done():
        result = await verified(storage, "run_1")
        assert result, result.faults
        checked += 1
        await asyncio.sleep(0)
    await task
    assert checked
    assert (await storage.get_run(TENANT, "run_1")).update_time == time_of(100)


async def test_paused_runs_of_all_tenants_come_in_pages(storage: Storage) -> None:
    """Returns paused runs of all tenants with a greater id, oldest first."""
    for place, tenant in ((2, TENANT), (1, "other"), (3, TENANT)):
        run_id = f"run_{place}"
        await create(storage, run_id, tenant_id=tenant)
        await storage.append(run_id, (step(run_id, 1, tenant_id=tenant),), RunChange(status=RunStatus.PAUSED))
    await create(storage, "run_4")
    assert [run.run_id for run in await storage.paused_runs(limit=2)] == ["run_1", "run_2"]
    assert [run.run_id for run in await storage.paused_runs(after_run_id="run_2")] == ["run_3"]


async def test_a_session_is_listed_newest_first_and_page_by_page(storage: Storage) -> None:
    """Its tenant's runs alone; a token belongs to the session it was given for."""
    for place, (session, tenant) in enumerate(
        [("s", TENANT), ("t", TENANT), (None, TENANT), ("s", "other"), ("s", TENANT)]
    ):
        await create(storage, f"run_{place}", tenant, session_id=session)

    first = await storage.list_runs(RunQuery(TENANT, 1, session_id="s"))
    second = await storage.list_runs(RunQuery(TENANT, 1, first.next_page_token, session_id="s"))

    assert [run.run_id for run in (*first.runs, *second.runs)] == ["run_4", "run_0"]
    assert second.next_page_token == ""
    with pytest.raises(InvalidRequestError):
        await storage.list_runs(RunQuery(TENANT, 1, first.next_page_token, session_id="t"))
