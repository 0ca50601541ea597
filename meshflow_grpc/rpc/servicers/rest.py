"""RestService: the JSON face behind Envoy. Bodies are parsed strictly; answers are the typed ones."""

from __future__ import annotations

from contextlib import aclosing
from importlib import resources
from typing import TYPE_CHECKING, Any

from google.api.httpbody_pb2 import HttpBody

from meshflow_grpc._gen.meshflow.v1 import event_pb2
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, MeshflowError
from meshflow_grpc.rpc.call import current_call, current_principal
from meshflow_grpc.rpc.convert.approval import approval_to_proto, decision_from_json
from meshflow_grpc.rpc.convert.event import event_to_proto, sse_block
from meshflow_grpc.rpc.convert.json_request import (
    erasure_from_json,
    fork_from_json,
    request_from_json,
    text_from_json,
    typed_fields,
)
from meshflow_grpc.rpc.convert.ledger import erased_to_proto
from meshflow_grpc.rpc.convert.request import event_view
from meshflow_grpc.rpc.convert.run import check_to_proto
from meshflow_grpc.rpc.convert.workflow import change_to_proto, validation_to_proto, workflow_to_proto
from meshflow_grpc.rpc.event_stream import last_event_id, with_heartbeats
from meshflow_grpc.rpc.servicers.rest_mesh import RestMeshServicer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc._gen.meshflow.v1 import (
        approval_service_pb2,
        ledger_service_pb2,
        rest_service_pb2,
        run_pb2,
        run_service_pb2,
        workflow_service_pb2,
    )
    from meshflow_grpc.commands.catalog import Commands
    from meshflow_grpc.rpc.convert.run import RunMessages

HEARTBEAT_S = 15.0
OPENAPI = resources.files("meshflow_grpc.rpc").joinpath("openapi.json")


class RestServicer(RestMeshServicer):
    """JSON twins of the RPCs that take a body, and Server-Sent Events."""

    def __init__(self, commands: Commands, messages: RunMessages, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._commands = commands
        self._messages = messages
        self._heartbeat_s = heartbeat_s
        self._openapi = HttpBody(content_type="application/json", data=OPENAPI.read_bytes())

    async def RunJson(self, request: Struct, context: Any) -> run_pb2.RunResponse:  # noqa: N802 - RPC name
        """See rest_service.proto."""
        run = await self._commands.run.execute(
            current_principal(), request_from_json(_keyed(request)), deadline_s=context.time_remaining()
        )
        return self._messages.run(run)

    async def StreamRunJson(self, request: Struct, context: Any) -> AsyncGenerator[event_pb2.RunEvent, None]:  # noqa: N802
        """See rest_service.proto. HTTP/1.1 clients cannot see a status after the first event, so a late error is an event."""
        events = self._commands.stream_run.execute(
            current_principal(), request_from_json(_keyed(request)), deadline_s=context.time_remaining()
        )
        run_id = ""
        try:
            async with aclosing(events) as stream:
                async for event in stream:
                    run_id = event.run_id
                    yield event_to_proto(event)
        except MeshflowError as error:
            if not run_id:
                raise
            reason = f"{error.reason.value}: {error.message}"
            yield event_pb2.RunEvent(event_type="stream_error", run_id=run_id, reason=reason)

    async def CreateRunJson(self, request: Struct, context: Any) -> run_pb2.RunResponse:  # noqa: N802 - RPC name
        """See rest_service.proto."""
        return self._messages.run(
            await self._commands.create_run.execute(current_principal(), request_from_json(_keyed(request)))
        )

    async def CheckRunJson(self, request: Struct, context: Any) -> run_service_pb2.CheckRunResponse:  # noqa: N802
        """See rest_service.proto."""
        return check_to_proto(await self._commands.check_run.execute(current_principal(), request_from_json(request)))

    async def CancelRunJson(self, request: rest_service_pb2.RunBody, context: Any) -> run_pb2.RunResponse:  # noqa: N802
        """See rest_service.proto."""
        reason = text_from_json(request.body, "reason")
        run = await self._commands.cancel_run.execute(current_principal(), request.run_id, reason=reason)
        return self._messages.run(run)

    async def ForkRunJson(self, request: rest_service_pb2.RunBody, context: Any) -> run_pb2.RunResponse:  # noqa: N802
        """See rest_service.proto."""
        point, request_id = fork_from_json(_keyed(request.body))
        return self._messages.run(
            await self._commands.fork_run.execute(current_principal(), request.run_id, point, request_id=request_id)
        )

    async def EraseRunJson(  # noqa: N802 - RPC name
        self, request: rest_service_pb2.RunBody, context: Any
    ) -> ledger_service_pb2.EraseRunResponse:
        """See rest_service.proto."""
        asked = erasure_from_json(request.body)
        return erased_to_proto(await self._commands.erase_run.execute(current_principal(), request.run_id, **asked))

    async def DecideApprovalJson(  # noqa: N802 - RPC name
        self, request: rest_service_pb2.ApprovalBody, context: Any
    ) -> approval_service_pb2.Approval:
        """See rest_service.proto."""
        approval = await self._commands.decide_approval.execute(
            current_principal(), request.approval_id, **decision_from_json(request.body)
        )
        return approval_to_proto(approval)

    async def PutWorkflowJson(self, request: Struct, context: Any) -> workflow_service_pb2.Workflow:  # noqa: N802
        """See rest_service.proto."""
        yaml = text_from_json(request, "yaml", required=True)
        return workflow_to_proto(await self._commands.put_workflow.execute(current_principal(), yaml))

    async def ValidateWorkflowJson(  # noqa: N802 - RPC name
        self, request: Struct, context: Any
    ) -> workflow_service_pb2.WorkflowValidation:
        """See rest_service.proto."""
        yaml = text_from_json(request, "yaml", required=True)
        return validation_to_proto(await self._commands.validate_workflow.execute(current_principal(), yaml))

    async def ApproveWorkflowJson(  # noqa: N802 - RPC name
        self, request: rest_service_pb2.WorkflowBody, context: Any
    ) -> workflow_service_pb2.WorkflowApproval:
        """See rest_service.proto."""
        fields = typed_fields(request.body, {"expected_digest": str, "comment": str})
        return change_to_proto(
            await self._commands.approve_workflow.execute(current_principal(), request.name, **fields)
        )

    async def GetOpenApi(self, request: rest_service_pb2.GetOpenApiRequest, context: Any) -> HttpBody:  # noqa: N802
        """See rest_service.proto."""
        return self._openapi

    async def WatchRunEvents(  # noqa: N802 - RPC name
        self, request: run_service_pb2.WatchRunRequest, context: Any
    ) -> AsyncGenerator[HttpBody, None]:
        """See rest_service.proto."""
        after = last_event_id(current_call().metadata.get("last-event-id"), request.after_sequence)
        events = self._commands.watch_run.execute(
            current_principal(), request.run_id, after_sequence=after, view=event_view(request.event_view)
        )
        async with aclosing(with_heartbeats(events, sse_block, self._heartbeat_s)) as blocks:
            async for block in blocks:
                yield HttpBody(content_type="text/event-stream", data=block)


def _keyed(body: Struct) -> Struct:
    """A body whose request_id may come as the header Idempotency-Key instead (draft-ietf-httpapi-idempotency-key-header)."""
    key = current_call().metadata.get("idempotency-key")
    if key is not None:
        name = "requestId" if "requestId" in body.fields else "request_id"
        key = key.removeprefix('"').removesuffix('"')
        if name not in body.fields or body.fields[name].HasField("null_value"):
            body[name] = key
        elif body.fields[name].string_value != key:
            raise InvalidRequestError.of(
                FieldViolation("Idempotency-Key", "is not the request_id of the body; send one of them")
            )
    return body
