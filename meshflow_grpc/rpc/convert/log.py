"""Heads and proofs of the log as protobuf messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc._gen.meshflow.v1 import log_pb2
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from meshflow_grpc.commands.get_consistency_proof import ProvedGrowth
    from meshflow_grpc.commands.get_inclusion_proof import ProvedEntry
    from meshflow_grpc.commands.get_tree_head import SignedHead


def head_to_proto(signed: SignedHead) -> log_pb2.TreeHead:
    """A signed head."""
    head = signed.head
    return log_pb2.TreeHead(
        origin=signed.origin,
        size=head.size,
        root=head.root,
        time=timestamp(head.time),
        checkpoint=head.note,
        keys=signed.vkeys,
    )


def inclusion_to_proto(proved: ProvedEntry) -> log_pb2.InclusionProof:
    """An inclusion proof, in fields and as text."""
    return log_pb2.InclusionProof(
        seq=proved.seq,
        leaf_index=proved.proof.index,
        leaf_hash=proved.leaf_hash,
        tree_size=proved.head.size,
        hashes=proved.proof.hashes,
        checkpoint=proved.head.note,
        tlog_proof=proved.proof.text(),
    )


def consistency_to_proto(proved: ProvedGrowth) -> log_pb2.ConsistencyProof:
    """A consistency proof."""
    return log_pb2.ConsistencyProof(
        first=proved.first,
        second=proved.second,
        first_root=proved.first_root,
        second_root=proved.second_root,
        hashes=proved.hashes,
        checkpoint=proved.checkpoint,
    )
