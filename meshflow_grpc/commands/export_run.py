"""ExportRun: a run as JSON, as CSV, or as the evidence bundle an auditor verifies alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.export_evidence import export_evidence
from meshflow_grpc.commands.peer_evidence import peer_evidence
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.ledger.run_export import run_csv, run_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.log_publisher import LogPublisher
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.mesh import MeshAccess
    from meshflow_grpc.ports.storage import Storage

CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "evidence": "application/x-tar",
}


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The file and what it is."""

    content_type: str
    data: bytes


class ExportRunCommand:
    """Exports a run of the caller's tenant."""

    def __init__(
        self,
        storage: Storage,
        log: LogPublisher,
        keys: Sequence[VerifierKey],
        clock: Clock,
        mesh: MeshAccess | None = None,
    ) -> None:
        self._mesh = mesh
        self._storage = storage
        self._log = log
        self._keys = keys
        self._clock = clock

    async def execute(self, principal: Principal, run_id: str, *, export_format: str) -> ExportedRun:
        """Returns the file; no format means json. Raises InvalidRequestError, RunNotFoundError."""
        chosen = export_format or "json"
        if chosen not in CONTENT_TYPES:
            raise InvalidRequestError.of(FieldViolation("format", f"must be one of {', '.join(CONTENT_TYPES)}"))
        run = await self._storage.get_run(principal.tenant_id, run_id)
        entries = await run_entries(self._storage, principal.tenant_id, run_id)
        if chosen == "evidence":
            # A head that covers the run is signed first, so that what was recorded before the call is proved.
            await self._log.covering(entries[-1].seq)
            exported = f"by {principal.id} at {self._clock.now()}"
            tenant = principal.tenant_id
            peers = await peer_evidence(self._mesh, tenant, entries) if self._mesh is not None else {}
            data = await export_evidence(self._storage, tenant, [run_id], self._keys, exported, peers=peers)
        else:
            data = (run_json(run, entries) if chosen == "json" else run_csv(entries)).encode()
        return ExportedRun(CONTENT_TYPES[chosen], data)
