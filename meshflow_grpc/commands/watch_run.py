"""WatchRun: a run's events from any point, at any age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.watch import watch_run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.domain.event import RunEvent
    from meshflow_grpc.domain.run import EventView, Principal
    from meshflow_grpc.engine.event_hub import EventHub
    from meshflow_grpc.ports.storage import Storage


class WatchRunCommand:
    """Streams events without loss or repetition; watching never touches the run."""

    def __init__(self, storage: Storage, hub: EventHub) -> None:
        self._storage = storage
        self._hub = hub

    async def execute(
        self, principal: Principal, run_id: str, *, after_sequence: int, view: EventView
    ) -> AsyncGenerator[RunEvent, None]:
        """Yields events above ``after_sequence``, ends after run_completed; raises RunNotFoundError before the first."""
        if after_sequence < 0:
            raise InvalidRequestError.of(FieldViolation("after_sequence", "must not be negative"))
        events = watch_run(
            self._storage, self._hub, principal.tenant_id, run_id, after_sequence=after_sequence, view=view
        )
        async for event in events:
            yield event
