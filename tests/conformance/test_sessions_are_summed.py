"""What a session has spent and reserved is read from its runs at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.usage import SessionUse
from meshflow_grpc.ports.storage import RunChange
from tests.conformance.drafts import ENDED, STEP_USAGE, TENANT, create, finished, reserved, step, time_of, verified

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import Storage

COST = STEP_USAGE.cost_nano_usd


def resumed(run_id: str, epoch: int) -> EntryDraft:
    """Builds the entry of a resumption."""
    return EntryDraft(run_id, TENANT, EntryKind.RUN_RESUMED, time_of(50), step_id=f"resume#{epoch}")


async def test_a_session_nobody_used_is_empty(storage: Storage) -> None:
    """Not an error: its first run is about to begin."""
    assert await storage.session_use(TENANT, "s") == SessionUse(0, 0)


async def test_all_runs_of_the_session_count_whatever_their_status(storage: Storage) -> None:
    """Other sessions, runs without one and other tenants do not."""
    for run_id, session, tenant in (
        ("r1", "s", TENANT),
        ("r2", "s", TENANT),
        ("r3", "t", TENANT),
        ("r4", None, TENANT),
        ("r5", "s", "umbrella"),
    ):
        await create(storage, run_id, tenant, session_id=session)
        await storage.append(run_id, (step(run_id, 1, tenant),), RunChange(usage=STEP_USAGE))
    await storage.append("r2", (finished("r2"),), ENDED)

    assert await storage.session_use(TENANT, "s") == SessionUse(2 * COST, 0)
    assert await storage.session_use("umbrella", "s") == SessionUse(COST, 0)


async def test_a_reservation_counts_until_its_step_has_an_outcome(storage: Storage) -> None:
    """Of each step the newest: it holds what the step was charged before."""
    await create(storage, "r1", session_id="s")
    await storage.append("r1", (reserved("r1", "step_1", 1, 700), reserved("r1", "step_2", 1, 50)))
    await storage.append("r1", (reserved("r1", "step_1", 2, 900),))
    assert await storage.session_use(TENANT, "s") == SessionUse(0, 950)

    await storage.append("r1", (step("r1", 1, kind=EntryKind.STEP_DENIED),), RunChange(usage=STEP_USAGE))
    assert await storage.session_use(TENANT, "s") == SessionUse(COST, 50)


async def test_of_reservations_at_once_each_sees_those_before_it(storage: Storage) -> None:
    """Whoever comes first fits, whoever comes later knows."""
    await create(storage, "r1", session_id="s")
    await create(storage, "r2", session_id="s")
    (first,) = await storage.append("r1", (reserved("r1", "step_1", 1, 60),))
    (second,) = await storage.append("r2", (reserved("r2", "step_1", 1, 60),))

    assert await storage.session_use(TENANT, "s", up_to_seq=first.seq) == SessionUse(0, 60)
    assert await storage.session_use(TENANT, "s", up_to_seq=second.seq) == SessionUse(0, 120)


async def test_a_resumption_takes_over_what_was_open(storage: Storage) -> None:
    """It charges the run for it; reservations made since count anew, also for the same step."""
    await create(storage, "r1", session_id="s")
    await storage.append("r1", (reserved("r1", "step_1", 1, 700),))
    await storage.append("r1", (resumed("r1", 2),), RunChange(usage=STEP_USAGE))
    assert await storage.session_use(TENANT, "s") == SessionUse(COST, 0)

    await storage.append("r1", (reserved("r1", "step_1", 1, 300, attempt=2),))
    assert await storage.session_use(TENANT, "s") == SessionUse(COST, 300)


async def test_nothing_is_reserved_by_a_run_that_ended(storage: Storage) -> None:
    """What it used is in its total, and its chain verifies."""
    await create(storage, "r1", session_id="s")
    await storage.append("r1", (reserved("r1", "step_1", 1, 700),))
    await storage.append("r1", (finished("r1"),), ENDED)

    assert await storage.session_use(TENANT, "s") == SessionUse(0, 0)
    assert await verified(storage, "r1")
