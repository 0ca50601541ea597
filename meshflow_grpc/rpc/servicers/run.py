"""RunService."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import run_service_pb2_grpc
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.rpc.call import current_principal
from meshflow_grpc.rpc.convert.event import event_to_proto
from meshflow_grpc.rpc.convert.request import event_view, request_from_proto
from meshflow_grpc.rpc.convert.run import check_to_proto, diff_to_proto

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc._gen.meshflow.v1 import event_pb2, run_pb2, run_service_pb2
    from meshflow_grpc.commands.catalog import Commands
    from meshflow_grpc.rpc.convert.run import RunMessages


class RunServicer(run_service_pb2_grpc.RunServiceServicer):
    """The typed face of runs."""

    def __init__(self, commands: Commands, messages: RunMessages) -> None:
        self._commands = commands
        self._messages = messages

    async def Run(self, request: run_pb2.RunRequest, context: Any) -> run_pb2.RunResponse:  # noqa: N802 - RPC name
        """See run_service.proto."""
        run = await self._commands.run.execute(
            current_principal(), request_from_proto(request), deadline_s=context.time_remaining()
        )
        return self._messages.run(run)

    async def StreamRun(  # noqa: N802 - RPC name
        self, request: run_pb2.RunRequest, context: Any
    ) -> AsyncGenerator[event_pb2.RunEvent, None]:
        """See run_service.proto."""
        events = self._commands.stream_run.execute(
            current_principal(), request_from_proto(request), deadline_s=context.time_remaining()
        )
        async with aclosing(events) as stream:
            async for event in stream:
                yield event_to_proto(event)

    async def CreateRun(self, request: run_pb2.RunRequest, context: Any) -> run_pb2.RunResponse:  # noqa: N802
        """See run_service.proto."""
        return self._messages.run(
            await self._commands.create_run.execute(current_principal(), request_from_proto(request))
        )

    async def GetRun(self, request: run_service_pb2.GetRunRequest, context: Any) -> run_pb2.RunResponse:  # noqa: N802
        """See run_service.proto."""
        return self._messages.run(await self._commands.get_run.execute(current_principal(), request.run_id))

    async def ListRuns(  # noqa: N802 - RPC name
        self, request: run_service_pb2.ListRunsRequest, context: Any
    ) -> run_service_pb2.ListRunsResponse:
        """See run_service.proto."""
        page = await self._commands.list_runs.execute(
            current_principal(),
            page_size=request.page_size,
            page_token=request.page_token,
            status=request.status,
            workflow=request.workflow,
            session_id=request.session_id,
        )
        return self._messages.page(page)

    async def WaitRun(self, request: run_service_pb2.WaitRunRequest, context: Any) -> run_pb2.RunResponse:  # noqa: N802
        """See run_service.proto."""
        run = await self._commands.wait_run.execute(current_principal(), request.run_id, timeout_s=request.timeout_s)
        return self._messages.run(run)

    async def WatchRun(  # noqa: N802 - RPC name
        self, request: run_service_pb2.WatchRunRequest, context: Any
    ) -> AsyncGenerator[event_pb2.RunEvent, None]:
        """See run_service.proto."""
        events = self._commands.watch_run.execute(
            current_principal(),
            request.run_id,
            after_sequence=request.after_sequence,
            view=event_view(request.event_view),
        )
        async with aclosing(events) as stream:
            async for event in stream:
                yield event_to_proto(event)

    async def CancelRun(self, request: run_service_pb2.CancelRunRequest, context: Any) -> run_pb2.RunResponse:  # noqa: N802
        """See run_service.proto."""
        run = await self._commands.cancel_run.execute(current_principal(), request.run_id, reason=request.reason)
        return self._messages.run(run)

    async def CheckRun(self, request: run_pb2.RunRequest, context: Any) -> run_service_pb2.CheckRunResponse:  # noqa: N802
        """See run_service.proto."""
        return check_to_proto(await self._commands.check_run.execute(current_principal(), request_from_proto(request)))

    async def DiffRuns(  # noqa: N802 - RPC name
        self, request: run_service_pb2.DiffRunsRequest, context: Any
    ) -> run_service_pb2.DiffRunsResponse:
        """See run_service.proto."""
        return diff_to_proto(await self._commands.diff_runs.execute(current_principal(), request.run_a, request.run_b))

    async def ForkRun(self, request: run_service_pb2.ForkRunRequest, context: Any) -> run_pb2.RunResponse:  # noqa: N802
        """See run_service.proto."""
        point = ForkPoint(request.before_sequence, request.before_node)
        return self._messages.run(
            await self._commands.fork_run.execute(
                current_principal(), request.run_id, point, request_id=request.request_id
            )
        )
