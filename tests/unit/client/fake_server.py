"""A real gRPC server on a free port whose answers are scripted, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2, run_pb2, run_service_pb2, system_service_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from google.protobuf.message import Message

UNARY: dict[str, dict[str, type[Message]]] = {
    "RunService": {
        "Run": run_pb2.RunRequest,
        "CreateRun": run_pb2.RunRequest,
        "CheckRun": run_pb2.RunRequest,
        "GetRun": run_service_pb2.GetRunRequest,
        "ListRuns": run_service_pb2.ListRunsRequest,
        "WaitRun": run_service_pb2.WaitRunRequest,
        "CancelRun": run_service_pb2.CancelRunRequest,
        "ForkRun": run_service_pb2.ForkRunRequest,
    },
    "LedgerService": {
        "ListEntries": ledger_service_pb2.ListEntriesRequest,
        "VerifyRun": ledger_service_pb2.VerifyRunRequest,
    },
    "SystemService": {"GetHealth": system_service_pb2.GetHealthRequest},
}
STREAMS: dict[str, dict[str, type[Message]]] = {
    "RunService": {"StreamRun": run_pb2.RunRequest, "WatchRun": run_service_pb2.WatchRunRequest}
}


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error, with the details a meshflow server sends."""

    code: grpc.StatusCode
    message: str = "refused"
    reason: str = ""
    violations: Sequence[tuple[str, str]] = ()
    retry_after_s: int | None = None

    async def abort(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Ends the call with this error."""
        details: list[Message] = []
        if self.reason:
            details.append(error_details_pb2.ErrorInfo(reason=self.reason, domain="meshflow.dev"))
        if self.violations:
            bad = error_details_pb2.BadRequest()
            for name, description in self.violations:
                bad.field_violations.add(field=name, description=description)
            details.append(bad)
        if self.retry_after_s is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromSeconds(self.retry_after_s)
            details.append(retry)
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        metadata = (("grpc-status-details-bin", status.SerializeToString()),) if details else ()
        await context.abort(self.code, self.message, metadata)


class Hang:
    """A step of a stream that waits until the call is cancelled."""


@dataclass(frozen=True)
class Call:
    """One call the server got."""

    method: str
    request: Any
    metadata: dict[str, str | bytes] = field(default_factory=dict)
    time_remaining_s: float | None = None


class FakeServer:
    """Answers each method from its script, the last answer again and again; ``calls`` is what it was asked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.cancelled = threading.Event()
        self.port = 0
        self._script: dict[str, list[Any]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def address(self) -> str:
        """Where to dial."""
        return f"127.0.0.1:{self.port}"

    def answers(self, method: str, *answers: Any) -> None:
        """Scripts a method: one answer a call; for a stream an answer is a list of events, Refusal and Hang."""
        self._script[method] = list(answers)

    def requests(self, method: str) -> list[Any]:
        """Returns the requests a method got."""
        return [call.request for call in self.calls if call.method == method]

    def __enter__(self) -> Self:
        self._thread.start()
        self._submit(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._submit(self._server.stop(0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _submit(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> None:
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        for service in ("RunService", "LedgerService", "SystemService"):
            handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
            for name, kind in UNARY[service].items():
                handlers[name] = grpc.unary_unary_rpc_method_handler(
                    self._unary(name), kind.FromString, lambda answer: answer.SerializeToString()
                )
            for name, kind in STREAMS.get(service, {}).items():
                handlers[name] = grpc.unary_stream_rpc_method_handler(
                    self._stream(name), kind.FromString, lambda answer: answer.SerializeToString()
                )
            generic = grpc.method_handlers_generic_handler(f"meshflow.v1.{service}", handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()

    def _next(self, method: str, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        metadata = dict(context.invocation_metadata() or ())
        self.calls.append(Call(method, request, metadata, context.time_remaining()))
        script = self._script[method]
        return script.pop(0) if len(script) > 1 else script[0]

    def _unary(self, method: str) -> Any:
        async def handle(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            answer = self._next(method, request, context)
            if isinstance(answer, Refusal):
                await answer.abort(context)
            if isinstance(answer, Hang):
                await self._hang()
            message: Message = answer
            return message

        return handle

    def _stream(self, method: str) -> Any:
        async def handle(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Message]:
            for step in self._next(method, request, context):
                if isinstance(step, Refusal):
                    await step.abort(context)
                elif isinstance(step, Hang):
                    await self._hang()
                else:
                    yield step

        return handle

    async def _hang(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
