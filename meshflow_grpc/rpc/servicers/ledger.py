"""LedgerService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.api.httpbody_pb2 import HttpBody

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from meshflow_grpc.rpc.call import current_principal
from meshflow_grpc.rpc.convert.ledger import entries_to_proto, erased_to_proto, verification_to_proto
from meshflow_grpc.rpc.convert.log import consistency_to_proto, head_to_proto, inclusion_to_proto

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.commands.catalog import Commands

# Bytes of an export in one message: small against every client's limit (4 MiB by default).
PIECE_BYTES = 256 * 1024


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

    async def GetTreeHead(  # noqa: N802 - RPC name
        self, request: ledger_service_pb2.GetTreeHeadRequest, context: Any
    ) -> ledger_service_pb2.GetTreeHeadResponse:
        """See ledger_service.proto."""
        head = await self._commands.get_tree_head.execute(current_principal())
        return ledger_service_pb2.GetTreeHeadResponse(head=head_to_proto(head))

    async def GetInclusionProof(  # noqa: N802 - RPC name
        self, request: ledger_service_pb2.GetInclusionProofRequest, context: Any
    ) -> ledger_service_pb2.GetInclusionProofResponse:
        """See ledger_service.proto."""
        proved = await self._commands.get_inclusion_proof.execute(
            current_principal(), run_id=request.run_id, sequence=request.sequence, seq=request.seq
        )
        return ledger_service_pb2.GetInclusionProofResponse(proof=inclusion_to_proto(proved))

    async def GetConsistencyProof(  # noqa: N802 - RPC name
        self, request: ledger_service_pb2.GetConsistencyProofRequest, context: Any
    ) -> ledger_service_pb2.GetConsistencyProofResponse:
        """See ledger_service.proto."""
        proved = await self._commands.get_consistency_proof.execute(
            current_principal(), first=request.first, second=request.second
        )
        return ledger_service_pb2.GetConsistencyProofResponse(proof=consistency_to_proto(proved))

    async def ExportRun(  # noqa: N802 - RPC name
        self, request: ledger_service_pb2.ExportRunRequest, context: Any
    ) -> AsyncGenerator[HttpBody, None]:
        """See ledger_service.proto."""
        exported = await self._commands.export_run.execute(
            current_principal(), request.run_id, export_format=request.format
        )
        for start in range(0, len(exported.data), PIECE_BYTES):
            yield HttpBody(content_type=exported.content_type, data=exported.data[start : start + PIECE_BYTES])

    async def EraseRun(  # noqa: N802 - RPC name
        self, request: ledger_service_pb2.EraseRunRequest, context: Any
    ) -> ledger_service_pb2.EraseRunResponse:
        """See ledger_service.proto."""
        erased = await self._commands.erase_run.execute(
            current_principal(),
            request.run_id,
            basis=request.basis,
            mode=request.mode,
            include_forks=request.include_forks,
        )
        return erased_to_proto(erased)
