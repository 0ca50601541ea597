"""Finds the edges of a graph that close a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


def back_edges(starts: Iterable[str], edges: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Returns the edges that lead to a node on the way to their source, walking depth first in the order given."""
    followers: dict[str, list[str]] = {}
    for source, target in edges:
        followers.setdefault(source, []).append(target)
    found: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for start in starts:
        if start not in seen:
            _walk(start, followers, seen, found)
    return frozenset(found)


def _walk(start: str, followers: dict[str, list[str]], seen: set[str], found: set[tuple[str, str]]) -> None:
    """Keeps its own stack, so that a long chain is no deep recursion."""
    stack: list[tuple[str, Iterator[str]]] = [(start, iter(followers.get(start, ())))]
    seen.add(start)
    on_way = {start}
    while stack:
        node, rest = stack[-1]
        target = next(rest, None)
        if target is None:
            stack.pop()
            on_way.discard(node)
        elif target in on_way:
            found.add((node, target))
        elif target not in seen:
            seen.add(target)
            on_way.add(target)
            stack.append((target, iter(followers.get(target, ()))))
