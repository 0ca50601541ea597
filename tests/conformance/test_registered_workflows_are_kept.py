"""What ports.workflows.WorkflowStore promises, of every store."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.workflow import ApprovedChange, StoredWorkflow
from meshflow_grpc.ports.storage import Storage

NEWEST = 2**62


def _workflow(name: str = "report", version: str = "1", tenant_id: str = "acme", **fields: str) -> StoredWorkflow:
    given = {"digest": "d" * 64, "yaml": "name: ü\n", "description": "what", "create_time": "2026-01-02T03:04:05.678Z"}
    return StoredWorkflow(tenant_id, name, version, principal_id="p-1", **{**given, **fields})


async def test_a_version_is_kept_whole(storage: Storage) -> None:
    """Every field comes back, by version and as the newest."""
    put = await storage.put_workflow(_workflow())

    assert replace(put, number=0) == _workflow()
    assert await storage.get_workflow("acme", "report", "1") == put
    assert await storage.get_workflow("acme", "report") == put


async def test_a_version_never_changes(storage: Storage) -> None:
    """Whoever puts it again, with whatever, gets the first."""
    first = await storage.put_workflow(_workflow())
    again = await asyncio.gather(*(storage.put_workflow(_workflow(digest=str(n))) for n in range(5)))

    assert set(again) == {first}
    assert await storage.get_workflow("acme", "report") == first


async def test_a_description_that_no_text_can_hold_is_the_callers_error(storage: Storage) -> None:
    """Kept or refused, and the store goes on."""
    (put,) = await asyncio.gather(storage.put_workflow(_workflow(description="a\0b")), return_exceptions=True)
    assert isinstance(put, StoredWorkflow | InvalidRequestError)
    assert (await storage.put_workflow(_workflow("other"))).name == "other"


async def test_the_newest_is_the_one_registered_last(storage: Storage) -> None:
    """Not the greatest version; putting an old one again does not make it the newest."""
    old, new = await storage.put_workflow(_workflow(version="9")), await storage.put_workflow(_workflow(version="10"))
    await storage.put_workflow(_workflow(version="9"))

    assert await storage.get_workflow("acme", "report") == new
    assert await storage.workflow_versions("acme", "report", below=NEWEST, limit=10) == (new, old)
    assert await storage.workflow_versions("acme", "report", below=new.number, limit=10) == (old,)
    assert await storage.workflow_versions("acme", "report", below=NEWEST, limit=1) == (new,)


async def test_workflows_are_listed_by_name_in_pages(storage: Storage) -> None:
    """Names in the order of their bytes, the newest version of each."""
    for name in ("b", "a", "B", "a_1", "a-1", "a.1"):
        await storage.put_workflow(_workflow(name, "1"))
        await storage.put_workflow(_workflow(name, "2"))

    everything = await storage.list_workflows("acme", limit=10)
    page = await storage.list_workflows("acme", after_name="a-1", limit=2)

    assert [each.name for each in everything] == ["B", "a", "a-1", "a.1", "a_1", "b"]
    assert {each.version for each in everything} == {"2"}
    assert page == everything[3:5]


async def test_tenants_do_not_see_each_other(storage: Storage) -> None:
    """The same name and version are two workflows."""
    await storage.put_workflow(_workflow())
    other = await storage.put_workflow(_workflow(tenant_id="rival", digest="e" * 64))

    assert await storage.get_workflow("rival", "report", "1") == other
    assert await storage.get_workflow("third", "report") is None
    assert await storage.list_workflows("third", limit=10) == ()
    assert await storage.workflow_versions("third", "report", below=NEWEST, limit=10) == ()


def _change(policy_digest: str = "p", tenant_id: str = "acme", approver: str = "bob") -> ApprovedChange:
    authors, at = ("alice", "zoë"), "2026-01-02T03:04:05.678Z"
    return ApprovedChange(tenant_id, "d" * 64, policy_digest, "report", "1", authors, approver, "why ü", at)


async def test_an_approval_of_a_change_is_kept_whole_and_never_changes(storage: Storage) -> None:
    """The first of a definition under a policy stays, whoever else approves."""
    first = await storage.approve_change(_change())
    again = await storage.approve_change(_change(approver="carol"))
    other = await storage.approve_change(_change("q", approver="carol"))

    assert (first, again, other) == (_change(), _change(), _change("q", approver="carol"))
    assert await storage.approved_change("acme", "d" * 64, "p") == first
    assert await storage.approved_change("acme", "d" * 64, "q") == other
    assert await storage.approved_change("acme", "d" * 64, None) == first


async def test_what_was_not_approved_is_not_found(storage: Storage) -> None:
    """Nor another tenant's."""
    await storage.approve_change(_change())

    assert await storage.approved_change("acme", "d" * 64, "q") is None
    assert await storage.approved_change("acme", "e" * 64, None) is None
    assert await storage.approved_change("rival", "d" * 64, "p") is None
