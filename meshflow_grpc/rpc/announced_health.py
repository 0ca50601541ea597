"""grpc.health.v1 that knows who keeps asking, so that a stopping server goes only when they have heard of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

if TYPE_CHECKING:
    from collections.abc import Collection

# Who asks less often cannot be waited for: probes of kubelet, load balancers with long intervals.
LONGEST_INTERVAL_S: Final = 3.0
# So late an asker may be, by jitter and load, before it counts as gone.
LATE_S: Final = 1.0
_MAX_ASKERS: Final = 64


@dataclass(slots=True)
class _Asker:
    """A connection that asks for readiness: when it did last, how long after the time before, and whether it heard NOT_SERVING."""

    asked_at: float
    interval_s: float | None = None
    told: bool = False


class AnnouncedHealth(HealthServicer):  # type: ignore[misc]  # grpcio-health-checking is not typed
    """Answers as HealthServicer does; a proxy that asks again and again is known by its connection."""

    def __init__(self, readiness: Collection[str], late_s: float = LATE_S) -> None:
        super().__init__()
        self._readiness = readiness
        self._late_s = late_s
        self._askers: dict[str, _Asker] = {}
        self._heard = asyncio.Event()
        self._watches: set[asyncio.Task[Any]] = set()
        self._ended = False

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Any) -> Any:  # noqa: N802 - RPC name
        """See grpc.health.v1."""
        answer = await super().Check(request, context)
        if request.service in self._readiness:
            self._note(context.peer(), told=answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)
        return answer

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802 - RPC name
        """See grpc.health.v1. Ends when the server does."""
        if (watch := asyncio.current_task()) is None:
            return
        self._watches.add(watch)
        try:
            await super().Watch(request, context)
        except asyncio.CancelledError:
            if not self._ended:
                raise
        finally:
            self._watches.discard(watch)

    def end_watches(self) -> None:
        """Ends the streams of those that watch; a server that waits for its calls would wait for them."""
        self._ended = True
        for watch in self._watches:
            watch.cancel()

    def _note(self, connection: str, *, told: bool) -> None:
        now = asyncio.get_running_loop().time()
        before = self._askers.pop(connection, None)
        interval_s = None if before is None else now - before.asked_at
        self._askers[connection] = _Asker(now, interval_s, told)
        if len(self._askers) > _MAX_ASKERS:
            del self._askers[next(iter(self._askers))]
        self._heard.set()

    async def until_told(self) -> None:
        """Waits until each connection that asks at least every LONGEST_INTERVAL_S has heard the answer of now, or has gone.

        Call it when readiness is off.
        """
        while (left_s := self._patience_s()) > 0:
            self._heard.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._heard.wait()
            except TimeoutError:
                return

    def _patience_s(self) -> float:
        """Seconds until the last one that has not heard must have asked."""
        now = asyncio.get_running_loop().time()
        ends = (
            each.asked_at + each.interval_s + self._late_s
            for each in self._askers.values()
            if not each.told and each.interval_s is not None and each.interval_s <= LONGEST_INTERVAL_S
        )
        return max(ends, default=now) - now
