"""LedgerService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2_grpc
from meshflow_grpc.rpc.call import current_principal
from meshflow_grpc.rpc.convert.ledger import entries_to_proto, verification_to_proto

if TYPE_CHECKING:
    from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2
    from meshflow_grpc.commands.catalog import Commands


class LedgerServicer(ledger_service_pb2_grpc.LedgerServiceServicer):
    """The evidence."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def ListEntries(  # noqa: N802 - RPC name
        self, request: ledger_service_pb2.ListEntriesRequest, context: Any
    ) -> ledger_service_pb2.ListEntriesResponse:
        """See ledger_service.proto."""
        page = await self._commands.list_entries.execute(
            current_principal(), request.run_id, page_size=request.page_size, page_token=request.page_token
        )
        return entries_to_proto(page)

    async def VerifyRun(  # noqa: N802 - RPC name
        self, request: ledger_service_pb2.VerifyRunRequest, context: Any
    ) -> ledger_service_pb2.VerifyRunResponse:
        """See ledger_service.proto."""
        return verification_to_proto(await self._commands.verify_run.execute(current_principal(), request.run_id))
