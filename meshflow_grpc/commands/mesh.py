"""The commands of MeshService."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.get_node_keys import GetNodeKeysCommand
from meshflow_grpc.commands.heartbeat import HeartbeatCommand
from meshflow_grpc.commands.list_nodes import ListNodesCommand
from meshflow_grpc.commands.register_node import RegisterNodeCommand
from meshflow_grpc.commands.resolve_node import ResolveNodeCommand
from meshflow_grpc.commands.watch_mesh import WatchMeshCommand

if TYPE_CHECKING:
    from meshflow_grpc.ports.clock import Clock, IdSource
    from meshflow_grpc.ports.mesh import MeshMember


@dataclass(frozen=True, slots=True)
class MeshCommands:
    """One attribute per RPC."""

    register_node: RegisterNodeCommand
    heartbeat: HeartbeatCommand
    list_nodes: ListNodesCommand
    resolve_node: ResolveNodeCommand
    watch_mesh: WatchMeshCommand
    get_node_keys: GetNodeKeysCommand


def mesh_commands(mesh: MeshMember | None, clock: Clock, ids: IdSource) -> MeshCommands:
    """Those of a node; of a server that is none each fails as such."""
    return MeshCommands(
        RegisterNodeCommand(mesh, clock, ids),
        HeartbeatCommand(mesh),
        ListNodesCommand(mesh),
        ResolveNodeCommand(mesh),
        WatchMeshCommand(mesh),
        GetNodeKeysCommand(mesh),
    )
