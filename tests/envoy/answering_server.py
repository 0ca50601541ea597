"""A small real gRPC server behind Envoy: it implements the contract's services with answers a test can predict."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from meshflow_grpc._gen.meshflow.v1 import (
    event_pb2,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    rest_service_pb2_grpc,
    run_pb2,
    run_service_pb2,
    run_service_pb2_grpc,
    system_service_pb2,
    system_service_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc._gen.meshflow.v1 import rest_service_pb2

OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 2**25),
    ("grpc.max_send_message_length", 2**25),
]


class Witness:
    """What the handlers saw."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.proceed = asyncio.Event()
        self.attempts = 0

    def reset(self) -> None:
        """Forgets everything, for the next test."""
        self.__init__()  # type: ignore[misc]

    async def wait_forever(self) -> None:
        """A run that never ends by itself; says when it is cancelled."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


def seen(request: Struct | None, context: Any) -> str:
    """What reached the handler, as JSON text."""
    body = None if request is None else MessageToDict(request)
    return json.dumps({"body": body, "metadata": {key: str(value) for key, value in context.invocation_metadata()}})


class Rest(rest_service_pb2_grpc.RestServiceServicer):
    """Echoes what it got in `output`; `task` chooses another behaviour."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness

    async def GetOpenApi(self, request: Any, context: Any) -> HttpBody:
        return HttpBody(content_type="application/json", data=b"/openapi.json")

    async def GetNodeKeys(self, request: Any, context: Any) -> HttpBody:
        return HttpBody(content_type="application/json", data=b"/.well-known/jwks.json")

    async def RunJson(self, request: Struct, context: Any) -> run_pb2.RunResponse:
        match MessageToDict(request).get("task"):
            case None:
                await context.abort_with_status(rpc_status.to_status(missing_task()))
            case "wait":
                await self.witness.wait_forever()
            case "large":
                return run_pb2.RunResponse(run_id="run_large", output="x" * (10 * 2**20))
        return run_pb2.RunResponse(run_id="run_1", status="completed", output=seen(request, context))

    async def StreamRunJson(self, request: Struct, context: Any) -> AsyncIterator[event_pb2.RunEvent]:
        yield event_pb2.RunEvent(event_type="run_started", run_id="run_1", step=0)
        if MessageToDict(request).get("task") == "wait":
            await self.witness.wait_forever()
        await self.witness.proceed.wait()
        yield event_pb2.RunEvent(event_type="run_completed", run_id="run_1", output="two\nlines", status="completed")

    async def CreateRunJson(self, request: Struct, context: Any) -> run_pb2.RunResponse:
        return run_pb2.RunResponse(run_id="run_2", status="running", output=seen(request, context))

    async def CheckRunJson(self, request: Struct, context: Any) -> run_service_pb2.CheckRunResponse:
        return run_service_pb2.CheckRunResponse(admissible=True, workflow=seen(request, context))

    async def CancelRunJson(self, request: rest_service_pb2.RunBody, context: Any) -> run_pb2.RunResponse:
        return run_pb2.RunResponse(run_id=request.run_id, status="cancelled", output=seen(request.body, context))

    async def WatchRunEvents(self, request: run_service_pb2.WatchRunRequest, context: Any) -> AsyncIterator[HttpBody]:
        if request.run_id == "run_absent":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no run run_absent")
        text = f"id: 7\ndata: {seen(None, context)}\n\n: heartbeat {request.after_sequence} {request.event_view}\n\n"
        yield HttpBody(content_type="text/event-stream", data=text.encode())
        await self.witness.proceed.wait()
        yield HttpBody(data=b"id: 8\ndata: {}\n\n")


class Runs(run_service_pb2_grpc.RunServiceServicer):
    """The typed face."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness

    async def Run(self, request: run_pb2.RunRequest, context: Any) -> run_pb2.RunResponse:
        if request.task == "fail":
            await context.abort_with_status(rpc_status.to_status(missing_task()))
        if request.task == "wait":
            await self.witness.wait_forever()
        return run_pb2.RunResponse(run_id="run_1", status="completed", output=request.task)

    async def StreamRun(self, request: run_pb2.RunRequest, context: Any) -> AsyncIterator[event_pb2.RunEvent]:
        yield event_pb2.RunEvent(event_type="run_started", run_id="run_1")
        await self.witness.proceed.wait()
        yield event_pb2.RunEvent(event_type="run_completed", run_id="run_1", output=request.task)

    async def GetRun(self, request: run_service_pb2.GetRunRequest, context: Any) -> run_pb2.RunResponse:
        self.witness.attempts += 1
        if request.run_id == "run_flaky" and self.witness.attempts == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
        return run_pb2.RunResponse(run_id=request.run_id, status="completed")

    async def ListRuns(
        self, request: run_service_pb2.ListRunsRequest, context: Any
    ) -> run_service_pb2.ListRunsResponse:
        return run_service_pb2.ListRunsResponse(next_page_token=f"{request.page_size} {request.status}")

    async def WaitRun(self, request: run_service_pb2.WaitRunRequest, context: Any) -> run_pb2.RunResponse:
        return run_pb2.RunResponse(run_id=request.run_id, status="running", duration_ms=request.timeout_s)

    async def WatchRun(
        self, request: run_service_pb2.WatchRunRequest, context: Any
    ) -> AsyncIterator[event_pb2.RunEvent]:
        yield event_pb2.RunEvent(event_type="run_completed", run_id=request.run_id)

    async def CancelRun(self, request: run_service_pb2.CancelRunRequest, context: Any) -> run_pb2.RunResponse:
        return run_pb2.RunResponse(run_id=request.run_id, status="cancelled")

    async def CheckRun(self, request: run_pb2.RunRequest, context: Any) -> run_service_pb2.CheckRunResponse:
        self.witness.attempts += 1
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the ledger cannot be reached")
        raise AssertionError("abort raises")


class Ledger(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Says which entries were asked for."""

    async def ListEntries(
        self, request: ledger_service_pb2.ListEntriesRequest, context: Any
    ) -> ledger_service_pb2.ListEntriesResponse:
        return ledger_service_pb2.ListEntriesResponse(next_page_token=f"{request.run_id} {request.page_size}")

    async def VerifyRun(
        self, request: ledger_service_pb2.VerifyRunRequest, context: Any
    ) -> ledger_service_pb2.VerifyRunResponse:
        return ledger_service_pb2.VerifyRunResponse(run_id=request.run_id, valid=True)


class System(system_service_pb2_grpc.SystemServiceServicer):
    """Healthy, but not ready."""

    async def GetHealth(
        self, request: system_service_pb2.GetHealthRequest, context: Any
    ) -> system_service_pb2.GetHealthResponse:
        return system_service_pb2.GetHealthResponse(ok=True, status="ok", version="1.2.3", uptime_s=1.5)

    async def GetLiveness(
        self, request: system_service_pb2.GetLivenessRequest, context: Any
    ) -> system_service_pb2.GetLivenessResponse:
        return system_service_pb2.GetLivenessResponse(status="alive")

    async def GetReadiness(
        self, request: system_service_pb2.GetReadinessRequest, context: Any
    ) -> system_service_pb2.GetReadinessResponse:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "warming up")
        raise AssertionError("abort raises")


def missing_task() -> status_pb2.Status:
    """An error as the product answers it: with details."""
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(reason="INVALID_REQUEST", domain="meshflow.dev"))
    return status_pb2.Status(code=3, message="task or input is required", details=[detail])


async def start_server(
    witness: Witness,
    address: str,
    *interceptors: grpc.aio.ServerInterceptor,
    health: HealthServicer | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> tuple[grpc.aio.Server, int]:
    """Starts the server on the address; returns it with its port (1 for a Unix socket)."""
    server = grpc.aio.server(interceptors=interceptors, options=OPTIONS)
    rest_service_pb2_grpc.add_RestServiceServicer_to_server(Rest(witness), server)
    run_service_pb2_grpc.add_RunServiceServicer_to_server(Runs(witness), server)
    ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(Ledger(), server)
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(System(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health or HealthServicer(), server)
    reflection.enable_server_reflection(("meshflow.v1.RunService", reflection.SERVICE_NAME), server)
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    await server.start()
    return server, port
