"""StreamRun: executes and shows the events as they become durable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.commands.run import gone_because
from meshflow_grpc.domain.run import OnDisconnect
from meshflow_grpc.engine.watch import shown, watch_entries

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.domain.event import RunEvent
    from meshflow_grpc.domain.run import Principal, RunRequest
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.event_hub import EventHub
    from meshflow_grpc.ports.storage import Storage


class StreamRunCommand:
    """Executes a run for a caller who watches it."""

    def __init__(self, engine: Engine, hub: EventHub, storage: Storage) -> None:
        self._engine = engine
        self._hub = hub
        self._storage = storage

    async def execute(
        self, principal: Principal, request: RunRequest, *, deadline_s: float | None = None
    ) -> AsyncGenerator[RunEvent, None]:
        """Yields the run's events; refusals of the request raise before the first one. Closing the iterator is a disconnect."""
        admitted = await self._engine.admit(principal, request)
        loop = asyncio.get_running_loop()
        deadline = None if deadline_s is None else loop.time() + deadline_s
        run_id = self._engine.new_run_id()
        with self._hub.subscribe(run_id, request.event_view) as subscription:
            active = self._engine.start(admitted, run_id)
            ended = False
            try:
                run = await asyncio.shield(active.created)
                if run.run_id == run_id:
                    items = watch_entries(
                        self._storage, subscription, run.tenant_id, run_id, 0, begins_now=True, until_paused=True
                    )
                    async for event in shown(items, request.event_view):
                        yield event
                else:
                    async for event in self._earlier(run.tenant_id, run.run_id, request):
                        yield event
                ended = True
            finally:
                if not ended and request.on_disconnect is OnDisconnect.CANCEL:
                    active.cancel(gone_because(deadline, loop.time()))

    async def _earlier(self, tenant_id: str, run_id: str, request: RunRequest) -> AsyncGenerator[RunEvent, None]:
        with self._hub.subscribe(run_id, request.event_view) as subscription:
            items = watch_entries(self._storage, subscription, tenant_id, run_id, 0, until_paused=True)
            async for event in shown(items, request.event_view):
                yield event
