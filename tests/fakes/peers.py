"""A mesh of scripted peers: what each answers, and what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from meshflow_grpc.domain.mesh import Concern, MeshChangeKind, MeshNode, PeerTarget
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ports.mesh import PeerAnswer, PeerCall, PeerError, PeerUnreachableError

Behaviour: TypeAlias = PeerAnswer | PeerError | str
# The peer takes the call and is silent until it is told to end.
SILENT = "silent"
GONE = PeerUnreachableError("no connection", sent=False)
LOST = PeerUnreachableError("connection lost", sent=True)


def mesh_node(slug: str, *endpoints: str, concern: str = "build", priority: int = 0, tenant_id: str = "") -> MeshNode:
    """A node that is registered."""
    at = "2026-01-01T00:00:00.000Z"
    concerns = (Concern(concern, priority),)
    return MeshNode(
        f"id-{slug}", slug, tenant_id, endpoints or ("127.0.0.1:1",), concerns, None, False, "0", at, at, 30.0
    )


def answer(output: str = "built", status: RunStatus = RunStatus.COMPLETED, **fields: Any) -> PeerAnswer:
    """What a peer's run gave."""
    usage = Usage(output_tokens=10, cost_nano_usd=5_000)
    known = {
        "usage": usage,
        "sequence": 4,
        "head_hash": "a" * 64,
        "tree_head": "log\n4\n",
        "leaf_index": 3,
        "path": ("AAAA",),
        "sent": 100,
        "received": 200,
    }
    return PeerAnswer("run_there", status, output, **{**known, **fields})


@dataclass
class FakeMesh:
    """Implements Peers and PeerClient. ``script`` holds, by slug, one behaviour per call; the last one stays."""

    nodes: list[MeshNode] = field(default_factory=list)
    script: dict[str, list[Behaviour]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    calls: list[tuple[str, PeerCall]] = field(default_factory=list)
    cancelled: list[tuple[str, str | None]] = field(default_factory=list)
    recorded: list[tuple[str, bool]] = field(default_factory=list)
    announced: list[tuple[MeshChangeKind, str, str]] = field(default_factory=list)
    ahead_of: list[str] = field(default_factory=list)
    went_ahead: list[bool] = field(default_factory=list)
    admitted: int = 0
    end: PeerAnswer | PeerError = field(default_factory=lambda: answer("", RunStatus.CANCELLED))
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    silent: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, **script: Behaviour | list[Behaviour]) -> FakeMesh:
        """A mesh of nodes ``NAME.ai`` with their behaviours."""
        made = cls()
        for name, behaviour in script.items():
            made.nodes.append(mesh_node(f"{name}.ai"))
            made.script[f"{name}.ai"] = list(behaviour) if isinstance(behaviour, list) else [behaviour]
        return made

    @property
    def asked(self) -> list[str]:
        """The slugs, call by call."""
        return [slug for slug, _ in self.calls]

    def candidates(self, tenant_id: str, target: PeerTarget) -> tuple[MeshNode, ...]:
        """By name and failover list, or all."""
        found = {node.slug: node for node in self.nodes if node.serves(tenant_id)}
        if target.slug is None:
            return tuple(found.values())
        return tuple(found[slug] for slug in (target.slug, *target.failover) if slug in found)

    def admit(self, node_id: str) -> bool:
        """Unless told otherwise."""
        admitted = node_id.removeprefix("id-") not in self.open
        self.admitted += admitted
        return admitted

    def release(self, node_id: str) -> None:
        """Counts."""
        assert node_id
        self.admitted -= 1

    def record(self, node_id: str, *, ok: bool, latency_ms: float, sent: int, received: int) -> None:
        """Keeps the result."""
        assert latency_ms >= 0 and sent >= 0 and received >= 0
        self.admitted -= 1
        self.recorded.append((node_id.removeprefix("id-"), ok))

    def announce(self, kind: MeshChangeKind, slug: str, detail: str) -> None:
        """Keeps it."""
        self.announced.append((kind, slug, detail))

    @contextmanager
    def ahead(self, node: MeshNode, call: PeerCall) -> Iterator[object]:
        """Counts those that stand."""
        assert call.request_id
        self.ahead_of.append(node.slug)
        try:
            yield node
        finally:
            self.ahead_of.remove(node.slug)

    async def run(
        self, node: MeshNode, call: PeerCall, accepted: Callable[[str], None], ahead: object = None
    ) -> PeerAnswer:
        """The next behaviour."""
        assert ahead in (None, node)
        self.went_ahead.append(ahead is not None)
        self.calls.append((node.slug, call))
        queue = self.script[node.slug]
        behaviour = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(behaviour, PeerError):
            raise behaviour
        accepted("run_there")
        if isinstance(behaviour, str):
            self.silent.set()
            await asyncio.Event().wait()
        assert isinstance(behaviour, PeerAnswer)
        return behaviour

    async def cancel(self, node: MeshNode, call: PeerCall, run_id: str | None) -> PeerAnswer:
        """Ends as told."""
        assert call.request_id
        self.cancelled.append((node.slug, run_id))
        self.ended.set()
        if isinstance(self.end, PeerError):
            raise self.end
        return self.end

    async def evidence(self, node: MeshNode, tenant_id: str, run_id: str) -> bytes:
        """There is none."""
        raise GONE
