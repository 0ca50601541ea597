"""A step that a peer of the mesh carries out: what was asked of whom, and what proves the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import Usage

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue

GRPC = "grpc"
# Between a step's id and the number of the further peer that is asked, in the step_id of a step_intent entry.
PEER_MARK = "$peer"


@dataclass(frozen=True, slots=True)
class AskedPeer:
    """Whom an earlier life of the run asked, and with what; the same request then finds the same run there.

    ``cleared``: a person has said that the step may be done again although it may have been done.
    """

    node_id: str
    slug: str
    share: Usage
    timeout_ms: int
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """The run at the peer as the step's entry keeps it: the head of its chain, and its proof under the peer's signed log."""

    slug: str
    node_id: str
    run_id: str
    status: str
    sequence: int
    head_hash: str
    tree_head: str
    leaf_index: int
    path: tuple[str, ...]

    def facts(self) -> dict[str, JsonValue]:
        """As the entry's ``peer``."""
        return {
            "hash": self.head_hash,
            "leaf_index": self.leaf_index,
            "node_id": self.node_id,
            "path": list(self.path),
            "run_id": self.run_id,
            "sequence": self.sequence,
            "slug": self.slug,
            "status": self.status,
            "tree_head": self.tree_head,
        }
