"""Runs and entries as the conformance suite appends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ledger.verify import ChainVerifier
from meshflow_grpc.ports.storage import CreatedRun, RunChange

if TYPE_CHECKING:
    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.ports.storage import Storage

TENANT = "acme"
STEP_USAGE = Usage(12, 8, 3_000, 40, 1)


def time_of(place: int) -> str:
    """Returns a time that grows with the place."""
    return f"2026-01-02T03:{place // 60 % 60:02}:{place % 60:02}.000Z"


def new_run(run_id: str, tenant_id: str = TENANT, **changes: object) -> Run:
    """Builds a run that has just started."""
    fields: dict[str, object] = {
        "workflow": "default",
        "status": RunStatus.RUNNING,
        "policy_digest": "d" * 64,
        "policy": {"budget_usd": 0.5, "mode": "standard"},
        "create_time": time_of(0),
        "update_time": time_of(0),
        "principal_id": "p-1",
        "labels": {"team": "ü"},
    }
    return Run(run_id, tenant_id, **(fields | changes))  # type: ignore[arg-type]


def started(run_id: str, tenant_id: str = TENANT) -> EntryDraft:
    """Builds a run's first entry."""
    return EntryDraft(
        run_id, tenant_id, EntryKind.RUN_STARTED, time_of(0), facts={"workflow": "default"}, input='{"task":"t"}'
    )


def step(
    run_id: str, place: int, tenant_id: str = TENANT, kind: EntryKind = EntryKind.STEP_COMMITTED, attempt: int = 1
) -> EntryDraft:
    """Builds the entry of a step."""
    return EntryDraft(
        run_id,
        tenant_id,
        kind,
        time_of(place),
        f"node_{place}",
        f"step_{place}",
        attempt,
        {"verdict": "committed", "risk": ["read_only", {"place": place}], "text": 'ü\x1f"\U0001f600'},
        f'{{"in":{place}}}',
        f'{{"out":"é{place}"}}',
    )


def reserved(
    run_id: str, step_id: str, number: int, cost: int, attempt: int = 1, tenant_id: str = TENANT
) -> EntryDraft:
    """Builds the reservation of a step's model call: the most the step may have cost by its end."""
    worst = {"carbon_ug": 0, "cost_nano_usd": cost, "tokens": {"input": 1, "output": 1}}
    return EntryDraft(
        run_id,
        tenant_id,
        EntryKind.BUDGET_RESERVED,
        time_of(number),
        "node",
        f"{step_id}${number}",
        attempt,
        {"worst_case": worst},
    )


def finished(run_id: str, place: int = 99, tenant_id: str = TENANT) -> EntryDraft:
    """Builds a run's last entry."""
    return EntryDraft(run_id, tenant_id, EntryKind.RUN_FINISHED, time_of(place), step_id="end", output='"done"')


ENDED = RunChange(status=RunStatus.COMPLETED, output="done", reason="all steps committed")


async def create(storage: Storage, run_id: str, tenant_id: str = TENANT, **changes: object) -> CreatedRun:
    """Records a new run."""
    return await storage.create_run(new_run(run_id, tenant_id, **changes), started(run_id, tenant_id), "fingerprint")


async def whole_run(storage: Storage, run_id: str, steps: int = 3) -> None:
    """Records a run from its start to its end."""
    await create(storage, run_id)
    for place in range(1, steps + 1):
        await storage.append(run_id, (step(run_id, place),), RunChange(usage=STEP_USAGE))
    await storage.append(run_id, (finished(run_id),), ENDED)


async def verified(storage: Storage, run_id: str, tenant_id: str = TENANT) -> ChainVerification:
    """Verifies a run as it is stored."""
    verifier = ChainVerifier(run_id)
    async with storage.raw_chain(tenant_id, run_id) as chain:
        async for page in chain.pages:
            verifier.add(page)
        return verifier.finish(chain.run)
