"""Those who watch the mesh are told what happened before and what happens next, of their tenant alone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from meshflow_grpc.domain.mesh import MeshChange, MeshChangeKind
from meshflow_grpc.mesh.change_feed import KEPT, ChangeFeed


def change(slug: str, tenant_id: str = "") -> MeshChange:
    """Something that happened to a node."""
    return MeshChange(MeshChangeKind.NODE_UNHEALTHY, slug, f"id-of-{slug}", "2026-01-01T00:00:00.000Z", "", tenant_id)


async def first(feed: ChangeFeed, count: int, *, tenant: str = "acme", after: int = 0) -> list[tuple[int, str]]:
    """Numbers and slugs of the first changes somebody sees."""
    seen: list[tuple[int, str]] = []
    async with asyncio.timeout(60), aclosing(feed.watch(tenant, after)) as changes:
        async for number, each in changes:
            seen.append((number, each.slug))
            if len(seen) == count:
                break
    return seen


async def test_what_happened_before_is_told_first() -> None:
    """Above the number that was seen last."""
    feed = ChangeFeed()
    for slug in ("a", "b", "c"):
        feed.publish(change(slug))

    assert await first(feed, 3) == [(1, "a"), (2, "b"), (3, "c")]
    assert await first(feed, 1, after=2) == [(3, "c")]


async def test_what_happens_while_somebody_watches_is_told() -> None:
    """Also to several at once."""
    feed = ChangeFeed()
    watching = [asyncio.create_task(first(feed, 2)) for _ in range(3)]
    await asyncio.sleep(0)
    feed.publish(change("a"))
    await asyncio.sleep(0)
    feed.publish(change("b"))

    assert await asyncio.gather(*watching) == [[(1, "a"), (2, "b")]] * 3


async def test_another_tenants_nodes_are_not_told_of() -> None:
    """Nodes that serve all are."""
    feed = ChangeFeed()
    for slug, tenant in (("a", "other"), ("b", "acme"), ("c", ""), ("d", "other")):
        feed.publish(change(slug, tenant))

    assert await first(feed, 2) == [(2, "b"), (3, "c")]


async def test_a_number_from_before_a_restart_starts_from_the_beginning() -> None:
    """Rather than waiting for numbers that were given before."""
    feed = ChangeFeed()
    feed.publish(change("a"))

    assert await first(feed, 1, after=500) == [(1, "a")]


async def test_only_the_last_thousand_are_kept() -> None:
    """A watcher that comes late is told of those."""
    feed = ChangeFeed()
    for number in range(KEPT + 5):
        feed.publish(change(f"n{number}"))

    assert (await first(feed, 1))[0] == (6, "n5")
