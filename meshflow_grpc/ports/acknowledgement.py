"""Answers to what is carried out to its end, whatever becomes of who asked for it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


class Acknowledgement(asyncio.Future[T]):
    """A future that cannot be cancelled: who is cancelled while waiting for it is told so when it is there, not before.

    That is what a task does whose awaited future refuses ``cancel``: it raises CancelledError in place of the result.
    ``work`` is the task that carries it out, if one was made for it: the loop alone would not keep it alive.
    """

    __slots__ = ("work",)
    work: asyncio.Future[T]

    def cancel(self, msg: object = None) -> bool:
        """Refuses."""
        return False


def acknowledged(work: Awaitable[T]) -> Acknowledgement[T]:
    """The work's own acknowledgement, or one for work that a task of its own carries out."""
    if isinstance(work, Acknowledgement):
        return work
    answer: Acknowledgement[T] = Acknowledgement(loop=asyncio.get_running_loop())
    answer.work = asyncio.ensure_future(work)
    answer.work.add_done_callback(partial(_tell, answer))
    return answer


def _tell(answer: Acknowledgement[T], ended: asyncio.Future[T]) -> None:
    if ended.cancelled():
        answer.set_exception(asyncio.CancelledError())
    elif (error := ended.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(ended.result())
