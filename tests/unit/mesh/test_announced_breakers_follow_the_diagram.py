"""What the directory tells of a breaker is a path through the diagram, whatever happens when."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from meshflow_grpc.mesh.directory import Directory, DirectoryRules
from tests.fakes.clock import FakeClock
from tests.fakes.mesh import MeshLog, mesh_node

NODE = mesh_node("build.ai")
ARROWS = {
    ("breaker_closed", "breaker_opened"),
    ("breaker_opened", "breaker_half_open"),
    ("breaker_half_open", "breaker_closed"),
    ("breaker_half_open", "breaker_opened"),
}
MOVES = st.one_of(st.sampled_from(["ok", "failed", "given back", "looked at"]), st.floats(0.1, 90.0))


@settings(max_examples=200, deadline=None)
@given(st.lists(MOVES, max_size=120))
def test_only_arrows_of_the_diagram_are_told(moves: list[str | float]) -> None:
    """Every state that is told of follows the one before by an arrow; what is shown is what was told last or its time came."""
    clock, log = FakeClock(), MeshLog()
    directory = Directory(DirectoryRules(), clock, log.mesh_changed, log)
    directory.refresh((NODE,), 0.0)
    for move in moves:
        if isinstance(move, float):
            clock.advance(move)
        elif move == "looked at":
            directory.views()
        elif directory.admit(NODE.node_id):
            if move == "given back":
                directory.release(NODE.node_id)
            else:
                directory.record(NODE.node_id, ok=move == "ok", latency_ms=1.0, sent=0, received=0)
    told = ["breaker_closed", *(kind for kind, _ in log.told() if kind.startswith("breaker_"))]

    assert set(pairwise(told)) <= ARROWS
    shown = directory.views()[0].breaker
    ripened = told[-1] == "breaker_opened" and shown == "half_open"
    assert ripened or told[-1] in {f"breaker_{shown}", f"breaker_{shown}ed"}
