"""Nodes as rows: what is looked for in columns, all else as one JSON text."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.mesh import Concern, MeshNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_log = structlog.get_logger(__name__)
COLUMNS = "node_id, slug, tenant_id, registered_at, heartbeat_at, body"


def values_of(node: MeshNode) -> tuple[str, ...]:
    """The values of ``COLUMNS``."""
    body = {
        "endpoints": node.endpoints,
        "concerns": {each.name: each.priority for each in node.concerns},
        "public_key": node.public_key,
        "tls": node.tls,
        "version": node.version,
        "ttl_s": node.ttl_s,
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return node.node_id, node.slug, node.tenant_id, node.registered_at, node.heartbeat_at, text


def nodes_of(rows: Iterable[Sequence[str]]) -> tuple[MeshNode, ...]:
    """The nodes in rows; one that cannot be read, written by hand or by another version, is logged and left out."""
    found = []
    for row in rows:
        try:
            datetime.fromisoformat(row[4])
            found.append(node_of(row))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("mesh_node_not_readable", node=row[0], slug=row[1], reason=repr(error))
    return tuple(found)


def node_of(row: Sequence[str]) -> MeshNode:
    """The node in a row of ``COLUMNS``."""
    node_id, slug, tenant_id, registered_at, heartbeat_at, text = row
    body = json.loads(text)
    return MeshNode(
        node_id=node_id,
        slug=slug,
        tenant_id=tenant_id,
        endpoints=tuple(body["endpoints"]),
        concerns=tuple(Concern(name, priority) for name, priority in body["concerns"].items()),
        public_key=body["public_key"],
        tls=body["tls"],
        version=body["version"],
        registered_at=registered_at,
        heartbeat_at=heartbeat_at,
        ttl_s=body["ttl_s"],
    )
