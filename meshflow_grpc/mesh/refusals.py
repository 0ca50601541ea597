"""Refused nodes as changes of the mesh, however fast someone knocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.mesh import MeshChange, MeshChangeKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.node_token import NodeRefusedError, RefusalCause
    from meshflow_grpc.ports.clock import Clock

QUIET_S = 1.0


class Refusals:
    """Tells of the first refusal of each cause, and then at most one a second, which says how many went before it."""

    def __init__(self, told: Callable[[MeshChange], None], counted: Callable[[str], None], clock: Clock) -> None:
        self._told = told
        self._counted = counted
        self._clock = clock
        self._last: dict[RefusalCause, float] = {}
        self._unsaid: dict[RefusalCause, int] = {}

    def __call__(self, error: NodeRefusedError) -> None:
        """Notes a refusal; every one is counted by its cause."""
        cause, now = error.cause, self._clock.monotonic()
        self._counted(cause.value)
        if now - self._last.get(cause, float("-inf")) < QUIET_S:
            self._unsaid[cause] = self._unsaid.get(cause, 0) + 1
            return
        self._last[cause] = now
        unsaid = self._unsaid.pop(cause, 0)
        detail = f"{cause.value}: {error.message}" + (f" ({unsaid} more since the last time)" if unsaid else "")
        self._told(MeshChange(MeshChangeKind.NODE_REFUSED, _printable(error.slug), "", self._clock.now(), detail))


def _printable(claimed: str) -> str:
    """What the caller says it is, made safe to show: it is proven by nothing."""
    return "".join(character if character.isprintable() else "?" for character in claimed) or "(nameless)"
