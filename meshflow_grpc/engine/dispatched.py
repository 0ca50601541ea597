"""The engine of a server that a durable engine gives runs to: after a gate, a crash or a drain a run goes on where that says.

A run's first life is its creator's, as without it: whoever called waits there, and its limits, budgets and live events are there.
What counts is the ledger. Whoever executes a run holds its lease, whatever the durable engine believes.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, cast

import structlog

from meshflow_grpc.domain.errors import MeshflowError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import CancelReason, RunStatus
from meshflow_grpc.engine.engine import Engine
from meshflow_grpc.engine.interruption import stopped
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.ports.dispatch import DispatchUnavailableError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.engine.active_run import ActiveRun
    from meshflow_grpc.engine.active_runs import ActiveRuns
    from meshflow_grpc.engine.parts import EngineParts
    from meshflow_grpc.ports.dispatch import RunDispatch

_log = structlog.get_logger(__name__)

# Runs that nobody executes are waiting for a server already, unless the one that should have said so is gone.
LOOK_EVERY_S: Final = 5.0
AT_ONCE: Final = 100


class DispatchedEngine(Engine):
    """See Engine. ``take_up`` is what the durable engine calls for."""

    def __init__(self, parts: EngineParts, active: ActiveRuns, dispatch: RunDispatch) -> None:
        super().__init__(parts, active)
        self._dispatch = dispatch
        self._telling: set[asyncio.Task[None]] = set()
        self._next_look = -math.inf

    def started(self, run: Run) -> None:
        """See Engine.started; from here on the run outlives this process."""
        super().started(run)
        self._tell(self._begin(run.tenant_id, run.run_id, here=True))

    def ended(self, run: Run) -> None:
        """See Engine.ended."""
        super().ended(run)
        self._tell(self._dispatch.ended(run.run_id))

    def pass_on(self, claimed: ActiveRun) -> None:
        """See Engine.pass_on: any server may take the run up."""
        self._tell(self._pass_on(claimed))

    async def _pass_on(self, claimed: ActiveRun) -> None:
        tenant_id, run_id = claimed.tenant_id, claimed.run_id
        try:
            await self.elsewhere.hand_over(run_id)
            self.release(claimed)
            if claimed.cancel_reason is None:
                await _told(self._begin(tenant_id, run_id, here=False))
            else:
                await _told(self._cancel(tenant_id, run_id, claimed.cancel_reason[1]))
            await self._answer(claimed)
        except asyncio.CancelledError:
            self.release(claimed)
            claimed.fail(stopped())
            raise

    async def _cancel(self, tenant_id: str, run_id: str, reason: str) -> None:
        await self.cancel_elsewhere(await self._parts.storage.get_run(tenant_id, run_id), reason)

    async def recover(self) -> int:
        """Gives away running runs that nobody executes and nobody may have given away; returns 0, for none begins here."""
        now = self._parts.tools.clock.monotonic()
        if now >= self._next_look and self._active.room:
            self._next_look = now + LOOK_EVERY_S
            orphans = await self.elsewhere.leases.orphans(AT_ONCE, self.active_runs)
            if orphans:
                self._tell(self._give_away(orphans))
        return 0

    async def _give_away(self, orphans: tuple[Run, ...]) -> None:
        for run in orphans:
            await self._begin(run.tenant_id, run.run_id, here=False)

    async def take_up(self, run: Run, cancelled: str | None = None) -> ActiveRun | None:
        """Goes on with a running run here, or ends it as ``cancelled``; None when another server has it, or there is no room.

        Raises LedgerUnavailableError.
        """
        claimed = self.claim(run.run_id, run.tenant_id) if self._active.room or cancelled is not None else None
        if claimed is None:
            return None
        try:
            if await self._owned(run):
                if cancelled is not None:
                    claimed.cancel(CancelReason.REQUEST, cancelled)
                self.go_on(claimed)
                return claimed
        except BaseException as error:
            self.release(claimed)
            claimed.fail(error)
            raise
        self.release(claimed)
        self._tell(self._answer(claimed))
        return None

    async def _answer(self, claimed: ActiveRun) -> None:
        """Whoever attached to a run that goes on elsewhere."""
        try:
            await self._follow(claimed, claimed.run_id)
        except MeshflowError as error:
            claimed.fail(error)

    async def _owned(self, run: Run) -> bool:
        leases = self.elsewhere.leases
        if not await leases.claim(run.run_id):
            return False
        if (await self._parts.storage.get_run(run.tenant_id, run.run_id)).status is RunStatus.RUNNING:
            return True
        await leases.give_back(run.run_id)
        return False

    async def cancel_elsewhere(self, run: Run, reason: str) -> Run | None:
        """See Engine.cancel_elsewhere; a run that waits for a server ends here."""
        active = await self.take_up(run, cancelled=reason)
        if active is not None:
            return await asyncio.shield(active.done)
        return await self.elsewhere.cancelled(run, reason) or run

    async def drain(self, grace_s: float, hurry: asyncio.Event | None = None, *, hand_over: bool = False) -> int:
        """See Engine.drain; what could not be said any more is found by other servers, or after the restart."""
        count = await super().drain(grace_s, hurry, hand_over=hand_over)
        for task in tuple(self._telling):
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        return count

    def _tell(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(_told(work))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _begin(self, tenant_id: str, run_id: str, *, here: bool) -> None:
        if await self._dispatch.begin(tenant_id, run_id, here=here) or here:
            return
        for entry in reversed(await run_entries(self._parts.storage, tenant_id, run_id)):
            if entry.kind is EntryKind.GATE_DECIDED:
                facts = cast("dict[str, str]", entry.facts)
                await self._dispatch.decided(run_id, facts["approval_id"], facts["action_digest"])
                return


async def _told(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except DispatchUnavailableError as error:
        _log.warning("run_not_dispatched", error=str(error), note="it is dispatched when it is found in the ledger")
    except MeshflowError as error:
        _log.warning("run_not_dispatched", error=error.message, note="it is dispatched when it is found in the ledger")
