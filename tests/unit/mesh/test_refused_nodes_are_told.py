"""A refused node is a change of the mesh, and a flood of them is not a flood of changes."""

from __future__ import annotations

from meshflow_grpc.domain.mesh import MeshChange, MeshChangeKind
from meshflow_grpc.domain.node_token import NodeRefusedError, RefusalCause
from meshflow_grpc.mesh.refusals import Refusals
from tests.fakes.clock import FakeClock


def test_every_refusal_is_counted_and_one_a_second_is_told() -> None:
    """The next one told says how many were not; causes do not hide each other; the claimed name is made printable."""
    clock, told, counted = FakeClock(), list[MeshChange](), list[str]()
    refusals = Refusals(told.append, counted.append, clock)

    for _ in range(100):
        refusals(NodeRefusedError(RefusalCause.EXPIRED, "build.ai"))
    refusals(NodeRefusedError(RefusalCause.NO_CREDENTIAL, "x\n\x1b[31m"))
    clock.advance(1)
    refusals(NodeRefusedError(RefusalCause.EXPIRED))

    assert len(counted) == 102
    assert [(each.kind, each.slug) for each in told] == [
        (MeshChangeKind.NODE_REFUSED, "build.ai"),
        (MeshChangeKind.NODE_REFUSED, "x??[31m"),
        (MeshChangeKind.NODE_REFUSED, "(nameless)"),
    ]
    assert told[0].detail.startswith("expired: ")
    assert told[2].detail.endswith("(99 more since the last time)")
