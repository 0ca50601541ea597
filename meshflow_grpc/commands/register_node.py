"""RegisterNode: enters a node that is no meshflow server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.mesh_member import MeshCommand
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.mesh import (
    MAX_ENDPOINTS,
    Concern,
    MeshNode,
    concerns_problem,
    endpoint_problem,
    slug_problem,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.ports.clock import Clock, IdSource
    from meshflow_grpc.ports.mesh import MeshMember

DEFAULT_TTL_S = 30.0
# Nodes that one tenant may register: every server checks each of them.
MAX_NODES = 1_000
MIN_TTL_S = 1.0
MAX_TTL_S = 86_400.0
_MAX_VERSION = 100
_MAX_KEY = 1_000
_KEY_RULE = 'must be an Ed25519 public key as a JSON Web Key: {"kty":"OKP","crv":"Ed25519","x":"…"}'


@dataclass(frozen=True, slots=True)
class NodeRegistration:
    """A node as its owner describes it; 0 for the default time to live."""

    slug: str
    endpoints: tuple[str, ...]
    concerns: tuple[Concern, ...] = ()
    public_key: str = ""
    tls: bool = False
    version: str = ""
    ttl_s: float = 0.0


class RegisterNodeCommand(MeshCommand):
    """Registers for the caller's tenant alone: nobody can take another tenant's work, or that of all tenants."""

    def __init__(self, mesh: MeshMember | None, clock: Clock, ids: IdSource) -> None:
        super().__init__(mesh)
        self._clock = clock
        self._ids = ids

    async def execute(self, principal: Principal, asked: NodeRegistration) -> MeshNode:
        """The node as kept. Raises InvalidRequestError naming every problem, and MeshNotConfiguredError."""
        mesh = self._mesh
        violations = tuple(_problems(asked)) or tuple(_too_many(mesh, principal.tenant_id, asked.slug))
        if violations:
            raise InvalidRequestError.of(*violations)
        now = self._clock.now()
        return await mesh.register(
            MeshNode(
                node_id=self._ids.run_id().removeprefix("run_"),
                slug=asked.slug,
                tenant_id=principal.tenant_id,
                endpoints=asked.endpoints,
                concerns=asked.concerns,
                public_key=asked.public_key or None,
                tls=asked.tls,
                version=asked.version,
                registered_at=now,
                heartbeat_at=now,
                ttl_s=asked.ttl_s or DEFAULT_TTL_S,
            )
        )


def _too_many(mesh: MeshMember, tenant_id: str, slug: str) -> Iterator[FieldViolation]:
    own = {view.node.slug for view in mesh.views(tenant_id) if view.node.tenant_id == tenant_id}
    if slug not in own and len(own) >= MAX_NODES:
        yield FieldViolation(
            "slug", f"the tenant has {MAX_NODES} nodes, and no further one is registered; let one expire"
        )


def _problems(asked: NodeRegistration) -> Iterator[FieldViolation]:
    problems = {
        "slug": slug_problem(asked.slug),
        "endpoints": None if 1 <= len(asked.endpoints) <= MAX_ENDPOINTS else f"must be 1 to {MAX_ENDPOINTS}",
        **{f"endpoints[{i}]": endpoint_problem(each) for i, each in enumerate(asked.endpoints[:MAX_ENDPOINTS])},
        "concerns": concerns_problem(asked.concerns),
        "ttl_s": _ttl_problem(asked.ttl_s),
        "version": None if len(asked.version) <= _MAX_VERSION else f"must be at most {_MAX_VERSION} characters",
        "public_key": None if not asked.public_key or _is_ed25519(asked.public_key) else _KEY_RULE,
    }
    return (FieldViolation(field, problem) for field, problem in problems.items() if problem is not None)


def _ttl_problem(ttl_s: float) -> str | None:
    return None if not ttl_s or MIN_TTL_S <= ttl_s <= MAX_TTL_S else f"must be {MIN_TTL_S:g} to {MAX_TTL_S:g}"


def _is_ed25519(text: str) -> bool:
    try:
        key = json.loads(text) if len(text) <= _MAX_KEY else None
    except ValueError:
        return False
    return isinstance(key, dict) and (key.get("kty"), key.get("crv")) == ("OKP", "Ed25519") and "d" not in key
