"""What it costs to watch many peers: processor time of health checks over real channels, one per peer, each to a port of its own.

    python -m benchmarks.mesh_checks [--peers N] [--interval S] [--seconds S]

The peers are ports of a real gRPC server in another process. After every peer was checked once, processor time of this process is
taken over whole intervals; the registry is read and refreshed as a node does it, three times in its TTL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace

from grpc import aio
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from meshflow_grpc.domain.mesh import MeshChange, MeshNode, PeerHealth
from meshflow_grpc.mesh.health_checker import CheckRules
from meshflow_grpc.mesh.local_mesh import LocalMesh, MeshRules
from meshflow_grpc.storage.mesh_registry.memory import MemoryRegistry
from meshflow_grpc.system import SystemClock, jitter

TTL_S = 30.0


class Unobserved:
    """Nobody looks on."""

    def mesh_changed(self, change: MeshChange) -> None:
        """Nothing."""

    def peer_called(self, slug: str, *, ok: bool, seconds: float, sent: int, received: int) -> None:
        """Nothing."""


async def serve(peers: int) -> None:
    """Listens on so many ports, tells them on stdout, and serves until stdin is closed."""
    server = aio.server(options=[("grpc.so_reuseport", 0)])
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    ports = [server.add_insecure_port("127.0.0.1:0") for _ in range(peers)]
    await server.start()
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


def node(number: int, port: int) -> MeshNode:
    """A peer that lives."""
    now = SystemClock().now()
    where = (f"127.0.0.1:{port}",)
    return MeshNode(f"id-{number}", f"n{number}.ai", "", where, (), None, False, "1", now, now, 10 * TTL_S)


async def measure(ports: list[int], interval_s: float, seconds: float) -> None:
    """Prints the share of a core."""
    registry = MemoryRegistry()
    for number, port in enumerate(ports):
        await registry.register(node(number, port))
    rules = MeshRules(checks=CheckRules(interval_s=interval_s))
    mesh = LocalMesh(registry, rules, SystemClock(), Unobserved(), jitter)
    await mesh.join(replace(node(len(ports), 1), ttl_s=TTL_S))
    began = time.monotonic()
    while any(view.health is not PeerHealth.HEALTHY for view in mesh.directory.views()):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    sys.stdout.write(f"{len(ports)} peers healthy after {time.monotonic() - began:.1f} s\n")
    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    unwell = sum(view.health is not PeerHealth.HEALTHY for view in mesh.directory.views())
    checks = len(ports) * wall / interval_s
    sys.stdout.write(
        f"checks every {interval_s:g} s for {wall:.0f} s: {cpu:.2f} s of processor, {100 * cpu / wall:.2f} % of a core, "
        f"{1e6 * cpu / checks:.0f} us a check; {unwell} peers not healthy\n"
    )
    await mesh.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if asked.serve:
        asyncio.run(serve(asked.peers))
        return
    command = [sys.executable, "-m", "benchmarks.mesh_checks", "--serve", "--peers", str(asked.peers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peers:
        assert peers.stdout is not None
        asyncio.run(measure(json.loads(peers.stdout.readline()), asked.interval, asked.seconds))
        assert peers.stdin is not None
        peers.stdin.close()


if __name__ == "__main__":
    main()
