"""The nodes this server knows, whom to ask for what, and what happened to them. Reads no store and dials nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from meshflow_grpc.domain.mesh import MeshChange, MeshChangeKind, PeerHealth
from meshflow_grpc.domain.policy import CircuitBreakerConfig
from meshflow_grpc.governance.circuit_breaker import BreakerState
from meshflow_grpc.mesh.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.mesh import MeshNode, NodeView, PeerTarget
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.observer import MeshObserver

# A node nobody heard of for so long is taken out of the registry.
FORGET_AFTER_S = 86_400.0
Later: TypeAlias = Callable[[float, Callable[[], None]], object]
_BREAKER_CHANGES = {
    BreakerState.OPEN: MeshChangeKind.BREAKER_OPENED,
    BreakerState.HALF_OPEN: MeshChangeKind.BREAKER_HALF_OPEN,
    BreakerState.CLOSED: MeshChangeKind.BREAKER_CLOSED,
}


@dataclass(frozen=True, slots=True)
class DirectoryRules:
    """When peers count as unhealthy, and their breakers: failures in a row, however far apart."""

    check_failures: int = 3
    breaker: CircuitBreakerConfig = field(
        default_factory=lambda: CircuitBreakerConfig(
            failure_threshold=5, failure_window_s=float("inf"), half_open_after_s=60.0
        )
    )


class Directory:
    """Implements ports.mesh.Peers. ``announce`` is told of every change; ``later`` calls a function after so many seconds.

    Calls are told apart by the task that makes them: who admits also records or releases.
    """

    def __init__(
        self,
        rules: DirectoryRules,
        clock: Clock,
        announce: Callable[[MeshChange], None],
        observer: MeshObserver,
        later: Later | None = None,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._announce = announce
        self._observer = observer
        self._later = later
        self._peers: dict[str, Peer] = {}

    def refresh(self, nodes: Iterable[MeshNode], known_at: float) -> None:
        """Takes in what the registry holds. ``known_at`` are seconds that stand still while the registry cannot be read.

        A heartbeat counts from when it was seen, not from the time it names, so that no machine's clock kills a node.
        """
        found = {node.node_id: node for node in nodes}
        for node_id in [each for each in self._peers if each not in found]:
            peer = self._peers.pop(node_id)
            if peer.live:
                self._tell(peer.node, MeshChangeKind.NODE_LEFT, "it was taken out of the registry")
        for node in found.values():
            self._take_in(node, known_at)

    def forgotten(self, known_at: float) -> tuple[str, ...]:
        """Ids of nodes that nobody heard of for a day."""
        return tuple(peer.node.node_id for peer in self._peers.values() if known_at - peer.beaten_at > FORGET_AFTER_S)

    def candidates(self, tenant_id: str, target: PeerTarget) -> tuple[MeshNode, ...]:
        """See Peers. Among equals the one with the fewest calls under way comes first."""
        found: dict[str, Peer] = {}
        first = self._of_slug(tenant_id, target.slug) if target.slug else self._of_concern(tenant_id, target.concern)
        for peer in (*first, *(each for slug in target.failover for each in self._of_slug(tenant_id, slug))):
            found.setdefault(peer.node.node_id, peer)
        now = self._clock.monotonic()
        return tuple(peer.node for peer in sorted(found.values(), key=lambda peer: _rank(peer, now)))

    def admit(self, node_id: str) -> bool:
        """See Peers."""
        peer = self._peers.get(node_id)
        if peer is None:
            return False
        self._look_at(peer)
        return peer.breaker.admit(_caller(), self._clock.monotonic())

    def release(self, node_id: str) -> None:
        """See Peers."""
        peer = self._peers.get(node_id)
        if peer is not None:
            peer.breaker.give_back(_caller())

    def record(self, node_id: str, *, ok: bool, latency_ms: float, sent: int, received: int) -> None:
        """See Peers."""
        peer = self._peers.get(node_id)
        if peer is None:
            return
        peer.count(ok=ok, latency_ms=latency_ms, sent=sent, received=received)
        self._observer.peer_called(peer.node.slug, ok=ok, seconds=latency_ms / 1000, sent=sent, received=received)
        self._look_at(peer)
        peer.breaker.report(_caller(), self._clock.monotonic(), ok=ok)
        self._look_at(peer)

    def announce(self, kind: MeshChangeKind, slug: str, detail: str) -> None:
        """See Peers."""
        peer = next((each for each in self._peers.values() if each.node.slug == slug), None)
        known = (peer.node.node_id, peer.node.tenant_id) if peer is not None else ("", "")
        self._announce(MeshChange(kind, slug, known[0], self._clock.now(), detail, known[1]))

    def live(self) -> tuple[MeshNode, ...]:
        """Nodes with a heartbeat in time."""
        return tuple(peer.node for peer in self._peers.values() if peer.live)

    def checked(self, node_id: str, problem: str | None) -> None:
        """The outcome of a health check: what was wrong, or None when the peer serves."""
        peer = self._peers.get(node_id)
        if peer is None:
            return
        if problem is None:
            recovered, peer.reported = peer.reported, False
            peer.checks_failed, peer.health = 0, PeerHealth.HEALTHY
            if recovered:
                self._tell(peer.node, MeshChangeKind.NODE_RECOVERED, "it answers health checks again")
            return
        peer.checks_failed += 1
        if peer.checks_failed >= self._rules.check_failures and peer.health is not PeerHealth.UNHEALTHY:
            peer.health, peer.reported = PeerHealth.UNHEALTHY, True
            detail = f"{peer.checks_failed} health checks in a row failed, the last one: {problem}"
            self._tell(peer.node, MeshChangeKind.NODE_UNHEALTHY, detail)

    def views(self) -> tuple[NodeView, ...]:
        """All nodes by slug and tenant, those that are gone included. May be called from another thread."""
        now = self._clock.monotonic()
        peers = sorted(self._peers.values(), key=lambda peer: (peer.node.slug, peer.node.tenant_id))
        return tuple(peer.view(now) for peer in peers)

    def _take_in(self, node: MeshNode, known_at: float) -> None:
        peer = self._peers.get(node.node_id)
        if peer is None:
            in_time = abs(_seconds(node.heartbeat_at, self._clock.now())) <= node.ttl_s
            peer = Peer(node, self._rules.breaker, known_at if in_time else known_at - node.ttl_s - 1)
            self._peers[node.node_id] = peer
        elif node.heartbeat_at != peer.node.heartbeat_at:
            peer.beaten_at = known_at
        moved = node.endpoints != peer.node.endpoints
        peer.node = node
        if moved:
            peer.health, peer.checks_failed = PeerHealth.UNKNOWN, 0
        self._judge(peer, live=known_at - peer.beaten_at <= node.ttl_s, moved=moved)

    def _judge(self, peer: Peer, *, live: bool, moved: bool) -> None:
        was, peer.live = peer.live, live
        if live and (moved or not was):
            self._tell(peer.node, MeshChangeKind.NODE_REGISTERED, f"at {', '.join(peer.node.endpoints)}")
        elif was and not live:
            self._tell(peer.node, MeshChangeKind.NODE_EXPIRED, f"no heartbeat for {peer.node.ttl_s:g} s")

    def _of_slug(self, tenant_id: str, slug: str) -> list[Peer]:
        """The tenant's own node of this name, else the one that serves all."""
        found = [peer for peer in self._serving(tenant_id) if peer.node.slug == slug]
        return sorted(found, key=lambda peer: not peer.node.tenant_id)[:1]

    def _of_concern(self, tenant_id: str, concern: str | None) -> list[Peer]:
        ranked = [
            ((-priority, peer.breaker.calls, peer.node.slug), peer)
            for peer in self._serving(tenant_id)
            if concern is not None and (priority := peer.node.priority_of(concern)) is not None
        ]
        return [peer for _, peer in sorted(ranked, key=lambda each: each[0])]

    def _serving(self, tenant_id: str) -> list[Peer]:
        return [peer for peer in self._peers.values() if peer.live and peer.node.serves(tenant_id)]

    def _look_at(self, peer: Peer) -> None:
        """Tells of the breaker's state when it is another one than was told last."""
        state = peer.breaker.state(self._clock.monotonic())
        if state is peer.shown:
            return
        peer.shown = state
        config = self._rules.breaker
        details = {
            BreakerState.OPEN: f"no calls for {config.half_open_after_s:g} s",
            BreakerState.HALF_OPEN: "one trial call is let through",
            BreakerState.CLOSED: "the trial call went well",
        }
        self._tell(peer.node, _BREAKER_CHANGES[state], details[state])
        if state is BreakerState.OPEN and self._later is not None:
            self._later(config.half_open_after_s, lambda: self._look_at(peer))

    def _tell(self, node: MeshNode, kind: MeshChangeKind, detail: str) -> None:
        self._announce(MeshChange(kind, node.slug, node.node_id, self._clock.now(), detail, node.tenant_id))


def _rank(peer: Peer, now: float) -> int:
    if peer.breaker.state(now) is BreakerState.OPEN:
        return 2
    return 1 if peer.health is PeerHealth.UNHEALTHY else 0


def _caller() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
