"""What the ledger has taken is carried out whoever is cancelled; who is cancelled is told when it is done, not before."""

from __future__ import annotations

import asyncio
import gc

import pytest

from meshflow_grpc.kernel.uninterrupted import uninterrupted
from meshflow_grpc.ports.acknowledgement import Acknowledgement, acknowledged


async def turns(count: int = 5) -> None:
    """Lets everything else go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_waits_is_cancelled_when_the_answer_is_there() -> None:
    """The cancellation is raised in place of the answer."""
    answer: Acknowledgement[int] = Acknowledgement(loop=asyncio.get_running_loop())
    waiting = asyncio.ensure_future(uninterrupted(answer))
    await turns()
    waiting.cancel()
    await turns()
    assert not waiting.done()
    answer.set_result(1)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert answer.result() == 1


async def test_a_cancelled_waiter_hides_the_error_of_what_it_waited_for() -> None:
    """Being cancelled comes first, as for every task."""
    answer: Acknowledgement[int] = Acknowledgement(loop=asyncio.get_running_loop())
    waiting = asyncio.ensure_future(uninterrupted(answer))
    await turns()
    waiting.cancel()
    answer.set_exception(ValueError("no"))
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("cancelled", [False, True])
async def test_work_is_carried_out_to_its_end(cancelled: bool) -> None:
    """Also when only the work itself refers to what it waits for, and the collector looks for garbage."""
    done = []

    async def work() -> int:
        gate = asyncio.get_running_loop().create_future()
        gates.append(lambda: gate.done() or gate.set_result(None))
        await gate
        done.append(1)
        return 1

    gates: list[object] = []
    waiting = asyncio.ensure_future(uninterrupted(work()))
    await turns()
    if cancelled:
        waiting.cancel()
        await turns()
    gc.collect()
    assert not waiting.done()
    gates.pop()()  # type: ignore[operator]
    await turns()
    assert done == [1]
    assert waiting.cancelled() is cancelled
    assert cancelled or waiting.result() == 1


async def test_work_that_nobody_else_refers_to_stays() -> None:
    """A task that waits for what it alone refers to is kept by who waits for its end."""
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    waiting = asyncio.ensure_future(uninterrupted(work()))
    await turns()
    gc.collect()
    assert not ended
    for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended


async def test_errors_of_the_work_are_raised() -> None:
    """As they are."""

    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await uninterrupted(work())


async def test_an_acknowledgement_stands_for_itself() -> None:
    """Nothing is put between it and who waits."""
    answer: Acknowledgement[int] = Acknowledgement(loop=asyncio.get_running_loop())
    assert acknowledged(answer) is answer
    assert not answer.cancel()
    assert not answer.cancelled()
    answer.set_result(2)
    assert await answer == 2
