"""Nodes that hand work to each other: what the registry keeps of a node, how it does, and what changed."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

MAX_CONCERNS = 64
MAX_ENDPOINTS = 16
MAX_PRIORITY = 1_000_000
SLUG_RULE = (
    "must be lower-case words of letters, digits and dashes joined by dots, such as build.ai; at most 100 characters"
)
CONCERN_RULE = "must be a lower-case word of letters, digits, dashes, dots and underscores; at most 100 characters"
ENDPOINT_RULE = "must be host:port, such as build.internal:8765 or [::1]:8765"
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_WORD = _LABEL | frozenset("._")
_HOST = _WORD | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_MAX_HOST = 253
_MAX_NAME = 100


class PeerHealth(StrEnum):
    """How a peer answers health checks: nobody asked yet, it serves, or it failed several checks in a row."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class MeshChangeKind(StrEnum):
    """What can happen to a node."""

    NODE_REGISTERED = "node_registered"
    NODE_EXPIRED = "node_expired"
    NODE_LEFT = "node_left"
    NODE_UNHEALTHY = "node_unhealthy"
    NODE_RECOVERED = "node_recovered"
    BREAKER_OPENED = "breaker_opened"
    BREAKER_HALF_OPEN = "breaker_half_open"
    BREAKER_CLOSED = "breaker_closed"
    FAILED_OVER = "failed_over"
    NODE_REFUSED = "node_refused"


@dataclass(frozen=True, slots=True)
class Concern:
    """Work that a node takes. Of several nodes that take it the one with the higher priority is asked first."""

    name: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class MeshNode:
    """A node as registered. ``node_id`` is a UUIDv7; ``tenant_id`` "" serves every tenant.

    ``endpoints`` are ``host:port``, any of which answers. ``public_key`` is the node's Ed25519 key as JWK text. Times are RFC 3339.
    """

    node_id: str
    slug: str
    tenant_id: str
    endpoints: tuple[str, ...]
    concerns: tuple[Concern, ...]
    public_key: str | None
    tls: bool
    version: str
    registered_at: str
    heartbeat_at: str
    ttl_s: float

    def serves(self, tenant_id: str) -> bool:
        """Whether the node takes work of a tenant."""
        return self.tenant_id in {"", tenant_id}

    def priority_of(self, concern: str) -> int | None:
        """The priority with which it takes a concern; None when it does not."""
        return next((each.priority for each in self.concerns if each.name == concern), None)


@dataclass(frozen=True, slots=True)
class PeerTarget:
    """Whom a step is for: one of a slug or a concern, then further slugs in the order in which they are to be asked."""

    slug: str | None = None
    concern: str | None = None
    failover: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerMetrics:
    """Calls to one peer since this server started. Quantiles are those of a bounded histogram: the upper edge of a bucket."""

    requests: int = 0
    failures: int = 0
    mean_ms: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    bytes_sent: int = 0
    bytes_received: int = 0

    @property
    def error_rate(self) -> float:
        """Failed calls of all calls, 0 to 1."""
        return self.failures / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as this server sees it. ``breaker`` is a state of governance.circuit_breaker; ``live``: heartbeat within its TTL."""

    node: MeshNode
    health: PeerHealth = PeerHealth.UNKNOWN
    breaker: str = "closed"
    live: bool = True
    metrics: PeerMetrics = field(default_factory=PeerMetrics)


@dataclass(frozen=True, slots=True)
class MeshChange:
    """Something happened to a node, as seen by this server. ``tenant_id`` is the node's: other tenants are not told."""

    kind: MeshChangeKind
    slug: str
    node_id: str
    time: str
    detail: str = ""
    tenant_id: str = ""


def slug_problem(slug: str) -> str | None:
    """What is wrong with a node's name, if anything."""
    labels = slug.split(".")
    good = all(each and set(each) <= _LABEL and "-" not in (each[0], each[-1]) for each in labels)
    return None if good and len(slug) <= _MAX_NAME else SLUG_RULE


def concern_problem(name: str) -> str | None:
    """What is wrong with a concern's name, if anything."""
    good = name and len(name) <= _MAX_NAME and set(name) <= _WORD and name[0] not in "-._"
    return None if good else CONCERN_RULE


def endpoint_problem(endpoint: str) -> str | None:
    """What is wrong with an address, if anything."""
    host, _, port = endpoint.rpartition(":")
    numbered = port.isascii() and port.isdigit() and len(port) <= len("65535") and 0 < int(port) < 2**16
    return None if numbered and (_is_name(host) or _is_bracketed(host)) else ENDPOINT_RULE


def _is_name(host: str) -> bool:
    return 0 < len(host) <= _MAX_HOST and set(host) <= _HOST and host[0] not in "-._"


def _is_bracketed(host: str) -> bool:
    if not (host.startswith("[") and host.endswith("]")):
        return False
    try:
        return ipaddress.ip_address(host[1:-1]).version == 6
    except ValueError:
        return False


def parse_concerns(text: str) -> tuple[Concern, ...]:
    """Reads ``build:10,review``: names with priorities, 0 unless given. Raises ValueError saying what is wrong."""
    concerns = tuple(_concern(word.strip()) for word in text.split(",") if word.strip())
    problem = concerns_problem(concerns)
    if problem is not None:
        raise ValueError(problem)
    return concerns


def concerns_problem(concerns: tuple[Concern, ...]) -> str | None:
    """What is wrong with a node's concerns taken together, if anything."""
    names = [each.name for each in concerns]
    if len(names) > MAX_CONCERNS:
        return f"must be at most {MAX_CONCERNS}"
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"{twice} is there twice"
    wrong = next((problem for each in concerns if (problem := _problem_of(each)) is not None), None)
    return f"each {wrong}" if wrong else None


def _problem_of(concern: Concern) -> str | None:
    if not 0 <= concern.priority <= MAX_PRIORITY:
        return f"priority must be 0 to {MAX_PRIORITY}"
    return concern_problem(concern.name)


def _concern(word: str) -> Concern:
    name, colon, priority = word.partition(":")
    if colon and not (priority.isascii() and priority.isdigit()):
        raise ValueError(f"the priority of {name} must be a whole number, such as {name}:10")
    return Concern(name, int(priority) if colon else 0)
