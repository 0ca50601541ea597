"""The mesh as the core sees it: who is there, who may be asked, and how a peer carries out a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from contextlib import AbstractContextManager

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.mesh import MeshChange, MeshChangeKind, MeshNode, NodeView, PeerTarget
    from meshflow_grpc.domain.run import RunStatus


class NodeRegistry(Protocol):
    """Where nodes find each other: a store that all nodes of a mesh share. Raises LedgerUnavailableError when it cannot be used now."""

    async def register(self, node: MeshNode) -> MeshNode:
        """Enters a node and returns it as kept; durable when it returns.

        MUST keep ``node_id`` and ``registered_at`` of an earlier entry with the same slug and tenant; all else is the new one's.
        """
        ...

    async def heartbeat(self, node_id: str, now: str) -> bool:
        """Notes that a node lives; False when it is not registered (any more)."""
        ...

    async def nodes(self) -> tuple[MeshNode, ...]:
        """All nodes of all tenants, those whose heartbeat is overdue included, by slug and tenant."""
        ...

    async def remove(self, node_id: str) -> None:
        """Forgets a node; one that is not there is no error."""
        ...

    async def close(self) -> None:
        """Releases files and connections. Idempotent."""
        ...


class Peers(Protocol):
    """The peers of this server, for steps that are carried out elsewhere. Never blocks: reads what is known, dials nobody.

    Calls are told apart by the asyncio task that makes them: the task that admits is the one that records or releases.
    """

    def candidates(self, tenant_id: str, target: PeerTarget) -> tuple[MeshNode, ...]:
        """Live nodes that serve the tenant, in the order to be tried: the slug or the concern by priority, then the failover list.

        Unhealthy ones come after all others, and those whose breaker is open last. Never another tenant's.
        """
        ...

    def admit(self, node_id: str) -> bool:
        """Whether the peer's breaker lets a call go now; half-open admits exactly one until its result is recorded or released."""
        ...

    def release(self, node_id: str) -> None:
        """Gives back what ``admit`` allowed when the call has no result: it was not made, or was cancelled."""
        ...

    def record(self, node_id: str, *, ok: bool, latency_ms: float, sent: int, received: int) -> None:
        """The result of an admitted call, for breaker and metrics. ``ok`` is the peer's: a run it carried out and refused is ok."""
        ...

    def announce(self, kind: MeshChangeKind, slug: str, detail: str) -> None:
        """Tells those who watch the mesh, the log and the metrics what happened: that a step failed over, or a node was refused."""
        ...


class MeshMember(Protocol):
    """This server's place in the mesh, for commands. What is another tenant's is never shown."""

    def views(self, tenant_id: str) -> tuple[NodeView, ...]:
        """All nodes that serve the tenant, those that are gone included, by slug."""
        ...

    def resolve(self, tenant_id: str, target: PeerTarget) -> tuple[NodeView, ...]:
        """Those to be asked, in order; see ``Peers.candidates``."""
        ...

    async def register(self, node: MeshNode) -> MeshNode:
        """Enters a node that is not this server; see NodeRegistry."""
        ...

    async def heartbeat(self, tenant_id: str, node_id: str) -> MeshNode | None:
        """Notes that a tenant's own node lives; None when there is none of this id."""
        ...

    def public_keys(self) -> tuple[str, ...]:
        """The keys that this server signs its calls to peers with, as JSON Web Keys."""
        ...

    def changes(self, tenant_id: str, after: int) -> AsyncGenerator[tuple[int, MeshChange], None]:
        """Changes above a number, then those to come, without end."""
        ...


@dataclass(frozen=True, slots=True)
class PeerCall:
    """A step as a peer is asked to carry it out: a run of one of its workflows under the caller's policy.

    ``policy`` holds fields as requests do, never looser than the caller's. ``request_id`` makes asking twice one run. ``traceparent``
    is W3C trace context. ``timeout_s`` is what is left of the caller's time. ``proved`` asks for a proof under the peer's signed head.
    """

    tenant_id: str
    workflow: str
    task: str
    policy: Mapping[str, JsonValue]
    request_id: str
    timeout_s: float
    traceparent: str | None = None
    proved: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """How the run at the peer ended, or why it waits, and what proves it: the head of its chain and the peer's signed log.

    ``path`` leads from the chain's last entry, leaf ``leaf_index`` of the log, to ``tree_head``: hashes as base64 (RFC 9162, 2.1.3).
    """

    run_id: str
    status: RunStatus
    output: str = ""
    blocked_by: str | None = None
    reason: str | None = None
    usage: Usage = ZERO_USAGE
    sequence: int = 0
    head_hash: str = ""
    tree_head: str = ""
    leaf_index: int = 0
    path: tuple[str, ...] = ()
    sent: int = 0
    received: int = 0


class PeerError(Exception):
    """A call to a peer gave no answer. The message is safe to show."""


class PeerUnreachableError(PeerError):
    """No answer came. Nothing happened at the peer unless ``sent``."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class PeerRefusedError(PeerError):
    """The peer refused the call before anything ran; ``reason`` is its error reason."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class PeerFailedError(PeerError):
    """The peer took the call and answered with an error; what ran there is not known."""


class PeerClient(Protocol):
    """Calls peers."""

    def ahead(self, node: MeshNode, call: PeerCall) -> AbstractContextManager[object]:
        """Tells a peer, if there is a connection to it now, that a call comes, and nothing of what it asks for.

        For ``run``, while what has to be durable before is being written. Taken back at the end of the context. Never waits.
        """
        ...

    async def run(
        self, node: MeshNode, call: PeerCall, accepted: Callable[[str], None], ahead: object = None
    ) -> PeerAnswer:
        """Has a peer carry out a call, and waits until its run has ended or waits for a human.

        Tells ``accepted`` the run's id as soon as the peer has recorded its start. Going away does not end the run.
        Raises PeerUnreachableError, PeerRefusedError or PeerFailedError.
        """
        ...

    async def cancel(self, node: MeshNode, call: PeerCall, run_id: str | None) -> PeerAnswer:
        """Ends the run of a call and returns it as it ended; one that had ended is returned unchanged. Raises as ``run``.

        Without ``run_id`` the run is found by the call, which must then have been sent.
        """
        ...

    async def evidence(self, node: MeshNode, tenant_id: str, run_id: str) -> bytes:
        """The evidence bundle of a run at a peer. Raises as ``run``."""
        ...


@dataclass(frozen=True, slots=True)
class MeshAccess:
    """What a server needs to have peers carry out steps."""

    peers: Peers
    client: PeerClient


class NodeCredentials(Protocol):
    """What this node shows its peers."""

    def metadata(self, node: MeshNode, tenant_id: str, digest: str) -> tuple[tuple[str, str], ...]:
        """Headers of the call with this digest (domain.node_token) to a node on behalf of a tenant."""
        ...

    def channel_credentials(self, node: MeshNode, endpoint: str) -> object | None:
        """``grpc.ChannelCredentials`` of a channel to one of a node's endpoints; None for plain text.

        Raises PeerUnreachableError, with nothing sent, where plain text is not allowed.
        """
        ...
