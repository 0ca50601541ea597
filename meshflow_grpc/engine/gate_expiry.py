"""Decides approvals whose time is over, as their policy says. The ledger is the timer: what is known of it only saves reading it."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime
from typing import TYPE_CHECKING, cast

import structlog

from meshflow_grpc.domain.approval import ApprovalStatus, Decision
from meshflow_grpc.domain.errors import (
    ApprovalAlreadyDecidedError,
    ApprovalNotReadyError,
    MeshflowError,
    RunFencedError,
)
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.engine.gates import SERVER, Review

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.gates import Gates
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.notifier import ApprovalNotifier
    from meshflow_grpc.ports.storage import Storage

_log = structlog.get_logger(__name__)

PAGE = 200
# All paused runs are read this often, because other servers may have left some; in between only when one is known to be due.
READ_ALL_EVERY_S = 30.0
RETRY_S = 2.0
SHORTEST_WAIT_S = 0.1


class GateTimes:
    """When the next gate is out of time, as far as this process knows; hands each paused run on to the notifier."""

    def __init__(self, notifier: ApprovalNotifier) -> None:
        self._notifier = notifier
        self._sooner = asyncio.Event()
        self.next_s = math.inf

    def run_paused(self, run: Run) -> None:
        """See ApprovalNotifier."""
        self._notifier.run_paused(run)
        if run.pending_approval is not None:
            self.note(_seconds(run.pending_approval.expire_time))

    def note(self, due_s: float) -> None:
        """A gate is out of time then, in seconds since the epoch."""
        if due_s < self.next_s:
            self.next_s = due_s
            self._sooner.set()

    async def wait(self, clock: Clock, longest_s: float) -> None:
        """Returns when a gate is due, and no later than so many seconds from now."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + longest_s
        while True:
            self._sooner.clear()
            left = min(self.next_s - _seconds(clock.now()), latest - loop.time())
            try:
                async with asyncio.timeout(max(SHORTEST_WAIT_S, left)):
                    await self._sooner.wait()
            except TimeoutError:
                return


class GateExpiry:
    """Holds nothing of a paused run but the time of the first."""

    def __init__(self, storage: Storage, gates: Gates, engine: Engine, clock: Clock, times: GateTimes) -> None:
        self._storage = storage
        self._gates = gates
        self._engine = engine
        self._clock = clock
        self._times = times

    async def expire(self) -> int:
        """Decides every approval whose time is over; returns how many."""
        count, after = 0, ""
        self._times.next_s = math.inf
        while True:
            page = await self._storage.paused_runs(after_run_id=after, limit=PAGE)
            for run in page:
                count += await self.expire_run(run)
            if len(page) < PAGE:
                return count
            after = page[-1].run_id
            await asyncio.sleep(0)

    async def expire_run(self, run: Run) -> int:
        """Does what ``expire`` does for one paused run."""
        now_s = _seconds(self._clock.now())
        earliest_s = _seconds(run.create_time) + cast("float", _human(run)["timeout_s"])
        if earliest_s > now_s:  # saves reading the entries of a run that is younger than its policy's time
            self._times.note(earliest_s)
            return 0
        waiting = [a for a in await self._gates.of_run(run) if a.status is ApprovalStatus.PENDING]
        late = [a for a in waiting if _seconds(a.expire_time) <= now_s]
        if not late:
            self._times.note(min((_seconds(a.expire_time) for a in waiting), default=math.inf))
            return 0
        self._times.note(now_s + RETRY_S)
        return 0 if self._engine.active(run.run_id) is not None else await self._decide(run, late[0].approval_id)

    async def _decide(self, run: Run, approval_id: str) -> int:
        decision = Decision(cast("str", _human(run)["on_timeout"]))
        server = Principal(SERVER, run.tenant_id, method="server")
        review = Review(decision, server, "nobody decided in time")
        try:
            await self._gates.decide(run.tenant_id, approval_id, review)
        except (ApprovalAlreadyDecidedError, ApprovalNotReadyError, RunFencedError):
            return 0
        return 1

    async def keep_expiring(self) -> None:
        """Runs ``expire`` whenever a gate may be out of time, whatever goes wrong in between."""
        while True:
            try:
                await self.expire()
            except MeshflowError as error:
                _log.warning("approval_sweep_failed", error=str(error))
                self._times.note(_seconds(self._clock.now()) + RETRY_S)
            await self._times.wait(self._clock, READ_ALL_EVERY_S)


def _human(run: Run) -> Mapping[str, object]:
    return cast("Mapping[str, object]", run.policy["human_in_loop"])


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
