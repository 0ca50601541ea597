"""Asks every peer again and again whether it serves, over grpc.health.v1."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.mesh.channels import PeerChannels
    from meshflow_grpc.mesh.directory import Directory

Jitter: TypeAlias = Callable[[], float]
# Checks under way at once; with many peers the others wait their turn.
AT_ONCE = 64
# The first checks after a start are spread over at most so many seconds.
SPREAD_S = 1.0
_SERVING = health_pb2.HealthCheckResponse.SERVING
_REQUEST = health_pb2.HealthCheckRequest()


@dataclass(frozen=True, slots=True)
class CheckRules:
    """Seconds between two checks of a peer (give or take a tenth, so that nodes do not ask in step), and for an answer."""

    interval_s: float = 30.0
    timeout_s: float = 5.0


class HealthChecker:
    """One task per peer. ``jitter`` gives numbers in [0, 1)."""

    def __init__(self, directory: Directory, channels: PeerChannels, rules: CheckRules, jitter: Jitter) -> None:
        self._directory = directory
        self._channels = channels
        self._rules = rules
        self._jitter = jitter
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, tuple[MeshNode, asyncio.Task[None]]] = {}

    def watch(self, nodes: tuple[MeshNode, ...]) -> None:
        """Checks these nodes from now on, and no others; one whose endpoints changed is checked at once."""
        wanted = {node.node_id: node for node in nodes}
        for node_id, (known, task) in list(self._tasks.items()):
            node = wanted.get(node_id)
            if node is None or node.endpoints != known.endpoints or task.done():
                task.cancel()
                del self._tasks[node_id]
        for node_id in wanted.keys() - self._tasks.keys():
            node = wanted[node_id]
            self._tasks[node_id] = (node, asyncio.create_task(self._keep_checking(node), name=f"check {node.slug}"))

    async def stop(self) -> None:
        """Ends all checks."""
        tasks = [task for _, task in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_checking(self, node: MeshNode) -> None:
        interval = self._rules.interval_s
        await asyncio.sleep(self._jitter() * min(SPREAD_S, interval) * min(1.0, len(self._tasks) / AT_ONCE))
        while True:
            async with self._turns:
                problem = await self._problem(node)
            self._directory.checked(node.node_id, problem)
            await asyncio.sleep(interval * (0.9 + 0.2 * self._jitter()))

    async def _problem(self, node: MeshNode) -> str | None:
        """What is wrong with a peer; None as soon as one of its endpoints serves."""
        problem = "it has no endpoint"
        for endpoint in node.endpoints:
            try:
                answer = await self._check(node, endpoint)
            except grpc.RpcError as error:
                code = error.code() if isinstance(error, grpc.aio.AioRpcError) else grpc.StatusCode.UNKNOWN
                problem = f"{endpoint} answered {code.name}"
                continue
            except TimeoutError:
                problem = f"{endpoint} gave no answer in {self._rules.timeout_s:g} s"
                continue
            except Exception as error:  # noqa: BLE001 - certificates that cannot be read, too, mean that nobody reaches the peer
                problem = f"{endpoint} cannot be asked: {error}"
                continue
            if answer.status == _SERVING:
                return None
            problem = f"{endpoint} does not serve now"
        return problem

    async def _check(self, node: MeshNode, endpoint: str) -> health_pb2.HealthCheckResponse:
        # The second limit holds when the first one, the deadline sent along, is not kept by a frozen loop of the library.
        async with asyncio.timeout(self._rules.timeout_s * 1.5):
            stub = health_pb2_grpc.HealthStub(self._channels.of(node, endpoint))
            return await stub.Check(_REQUEST, timeout=self._rules.timeout_s)
