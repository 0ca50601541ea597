"""A server that stops waits until the proxies that keep asking for its readiness have heard that it is off."""

from __future__ import annotations

import asyncio

from grpc_health.v1 import health_pb2

from meshflow_grpc.rpc.announced_health import AnnouncedHealth

READINESS = "ready"
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# Longer than any test may take: what ends earlier has not waited for it.
NEVER_S = 3600.0


class Connection:
    """Where a question comes from."""

    def __init__(self, name: str) -> None:
        self._name = name

    def peer(self) -> str:
        """As grpc names it."""
        return self._name


async def ask(health: AnnouncedHealth, connection: str, service: str = READINESS, *, times: int = 1) -> None:
    """Asks so often."""
    for _ in range(times):
        await health.Check(health_pb2.HealthCheckRequest(service=service), Connection(connection))


async def draining(late_s: float = NEVER_S, **asked: int) -> tuple[AnnouncedHealth, asyncio.Task[None]]:
    """A server that was asked so often on each connection and then went off, and its wait."""
    health = AnnouncedHealth((READINESS,), late_s)
    await health.set(READINESS, health_pb2.HealthCheckResponse.SERVING)
    await health.set("alive", health_pb2.HealthCheckResponse.SERVING)
    for connection, times in asked.items():
        await ask(health, connection, times=times)
    await health.set(READINESS, NOT_SERVING)
    waiting = asyncio.create_task(health.until_told())
    await asyncio.sleep(0)
    return health, waiting


async def test_each_that_keeps_asking_hears_it() -> None:
    """One that has heard does not speak for the other."""
    health, waiting = await draining(one=2, other=2)
    await ask(health, "one", times=2)
    assert not waiting.done()
    await ask(health, "other", service="alive")
    assert not waiting.done()
    await ask(health, "other")
    await waiting


async def test_nobody_is_waited_for_who_asked_once() -> None:
    """A probe that connects anew each time says nothing of when it comes back."""
    _, waiting = await draining(probe=1)
    await waiting


async def test_one_that_has_gone_is_waited_for_no_longer_than_it_can_be_late() -> None:
    """Its connection may have ended with it."""
    _, waiting = await draining(late_s=0.01, gone=2)
    await waiting


async def test_many_connections_take_no_memory() -> None:
    """The oldest is forgotten: a caller cannot make a stopping server wait by asking on thousands of connections."""
    health = AnnouncedHealth((READINESS,), NEVER_S)
    await health.set(READINESS, health_pb2.HealthCheckResponse.SERVING)
    await ask(health, "oldest", times=2)
    for number in range(64):
        await ask(health, str(number))
    await health.set(READINESS, NOT_SERVING)
    await health.until_told()
