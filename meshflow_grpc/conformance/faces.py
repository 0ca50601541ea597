"""The faces a runtime is asked through: gRPC, REST, or the runtime of this installation in this process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.client import AsyncClient, Connection, MeshflowCallError, to_json
from meshflow_grpc.domain.errors import MeshflowError
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator
from meshflow_grpc.rpc.server import GrpcServer, ServerLimits
from meshflow_grpc.storage.factory import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT_S = 60.0
Json = dict[str, Any]


class CallRefusedError(Exception):
    """A call that failed: its reason (of docs/errors.md, or the status code) and what the server said."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class Face(Protocol):
    """What the scenarios ask of a runtime. Every call raises CallRefusedError when it fails."""

    async def health(self) -> Json:
        """The server's health."""
        ...

    async def run(self, request: Json) -> Json:
        """Executes a run and waits until it ends or pauses."""
        ...

    async def entries(self, run_id: str) -> list[Json]:
        """The run's ledger entries."""
        ...

    async def verify(self, run_id: str) -> Json:
        """The server's own verification of the run."""
        ...

    async def decide(self, approval_id: str, decision: str) -> Json:
        """Decides an approval."""
        ...

    async def wait(self, run_id: str) -> Json:
        """Waits until the run ends or pauses."""
        ...


class GrpcFace:
    """A runtime through its gRPC services."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def health(self) -> Json:
        """SystemService.GetHealth."""
        return await _answer(self._client.health())

    async def run(self, request: Json) -> Json:
        """RunService.Run."""
        return await _answer(self._client.run(timeout_s=TIMEOUT_S, **request))

    async def entries(self, run_id: str) -> list[Json]:
        """LedgerService.ListEntries."""
        entries: list[Json] = (await _answer(self._client.list_entries(run_id)))["entries"]
        return entries

    async def verify(self, run_id: str) -> Json:
        """LedgerService.VerifyRun."""
        return await _answer(self._client.verify_run(run_id))

    async def decide(self, approval_id: str, decision: str) -> Json:
        """ApprovalService.DecideApproval."""
        return await _answer(self._client.decide_approval(approval_id, decision))

    async def wait(self, run_id: str) -> Json:
        """RunService.WaitRun."""
        return await _answer(self._client.wait_run(run_id, timeout_s=TIMEOUT_S))


async def _answer(call: Any) -> Json:  # noqa: ANN401 - a coroutine of any message
    try:
        return to_json(await call)
    except MeshflowCallError as error:
        raise CallRefusedError(error.reason or error.code, str(error)) from error
    except MeshflowError as error:
        raise CallRefusedError(error.reason.name, str(error)) from error


class RestFace:
    """A runtime through HTTP and JSON."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def health(self) -> Json:
        """GET /health."""
        return await self._call("GET", "/health")

    async def run(self, request: Json) -> Json:
        """POST /run."""
        return await self._call("POST", "/run", request)

    async def entries(self, run_id: str) -> list[Json]:
        """GET /v1/runs/{run_id}/entries."""
        entries: list[Json] = (await self._call("GET", f"/v1/runs/{run_id}/entries"))["entries"]
        return entries

    async def verify(self, run_id: str) -> Json:
        """GET /v1/runs/{run_id}:verify."""
        return await self._call("GET", f"/v1/runs/{run_id}:verify")

    async def decide(self, approval_id: str, decision: str) -> Json:
        """POST /v1/approvals/{approval_id}:decide."""
        return await self._call("POST", f"/v1/approvals/{approval_id}:decide", {"decision": decision})

    async def wait(self, run_id: str) -> Json:
        """GET /v1/runs/{run_id}:wait."""
        return await self._call("GET", f"/v1/runs/{run_id}:wait")

    async def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            response = await self._client.request(method, path, json=body)
            answer: Json = response.json()
        except httpx.HTTPError as error:
            raise CallRefusedError("UNAVAILABLE", str(error) or type(error).__name__) from error
        except ValueError as error:
            raise CallRefusedError("NOT_JSON", f"{method} {path} answered something else than JSON") from error
        if response.is_success:
            return answer
        reasons = [detail["reason"] for detail in answer.get("details", ()) if "reason" in detail]
        raise CallRefusedError(reasons[0] if reasons else str(response.status_code), str(answer.get("message", "")))


@asynccontextmanager
async def open_face(kind: str, target: str, token: str | None = None) -> AsyncIterator[Face]:
    """Opens ``python`` (the target is not used), ``grpc`` or ``rest``; raises ValueError for a target that is no address."""
    if kind == "python":
        async with _in_process() as address, AsyncClient(Connection(address)) as client:
            yield GrpcFace(client)
    elif kind == "grpc":
        async with AsyncClient(Connection(target, token)) as client:
            yield GrpcFace(client)
    else:
        url = target if "://" in target else f"http://{Connection(target).target}"
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S) as http:
            yield RestFace(http)


@asynccontextmanager
async def _in_process() -> AsyncIterator[str]:
    """The runtime of this installation on the offline model, its ledger in memory, on a free port of this machine."""
    storage = await open_storage("memory:")
    runtime = assemble(Outside(storage, MockProvider()), RuntimeOptions())
    server = GrpcServer(runtime.commands, runtime.state, AnonymousAuthenticator(), ServerLimits())
    await runtime.log.open()
    runtime.log.start()
    try:
        port = await server.start("127.0.0.1:0")
        runtime.state.started = True
        await server.set_serving(serving=True)
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
        await runtime.log.stop()
        await storage.close()
