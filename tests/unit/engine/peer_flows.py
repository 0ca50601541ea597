"""A workflow of one grpc node, and its world."""

from __future__ import annotations

from meshflow_grpc.domain.ledger_entry import LedgerEntry
from meshflow_grpc.ports.mesh import MeshAccess
from tests.fakes.peers import FakeMesh
from tests.unit.engine.conftest import World, make_world

NODE = "{kind: grpc, peer: build.ai, failover: [marco.ai], workflow: release%s}"


def flow(extra: str = "") -> str:
    """A workflow of one grpc node."""
    return f"name: w\nentry: b\nnodes:\n  b: {NODE % extra}\n"


def world_of(mesh: FakeMesh) -> World:
    """A runtime with peers."""
    return make_world(mesh=MeshAccess(mesh, mesh))


async def step(world: World, run_id: str) -> LedgerEntry:
    """The outcome entry of the step."""
    return [entry for entry in await world.entries(run_id) if entry.kind.value.startswith("step_")][-1]
