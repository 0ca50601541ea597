"""EraseRun: removes what people wrote from a run; the chain and the log stay valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.run_entries import run_entries
from meshflow_grpc.domain.errors import (
    EntryAlreadyRecordedError,
    FieldViolation,
    InvalidRequestError,
    PayloadKeyUnavailableError,
)
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.governance.retention import check_not_held
from meshflow_grpc.ledger.erasure import new_erasure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage

MAX_BASIS_CHARS = 500


@dataclass(frozen=True, slots=True)
class ErasedRun:
    """The entry that records the erasure, and how many inputs and outputs that could still be read it removed."""

    entry: LedgerEntry
    payloads: int


class EraseRunCommand:
    """Anonymizes a run of the caller's tenant that has ended."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def execute(self, principal: Principal, run_id: str, *, basis: str) -> ErasedRun:
        """Returns when the texts are gone; a run erased before is left as it is.

        Raises RunConflictError while the run goes on, and PermissionDeniedError under a legal hold.
        """
        if len(basis) > MAX_BASIS_CHARS:
            raise InvalidRequestError.of(FieldViolation("basis", f"must have at most {MAX_BASIS_CHARS} characters"))
        try:
            check_not_held(run_id, (await self._storage.get_run(principal.tenant_id, run_id)).labels)
            entries = await run_entries(self._storage, principal.tenant_id, run_id)
        except PayloadKeyUnavailableError:
            entries = []  # the key is gone already: what is left is to say so in the chain
        earlier = _erasure(entries)
        if earlier is not None:
            return ErasedRun(earlier, 0)
        held = sum((entry.input is not None) + (entry.output is not None) for entry in entries)
        now = self._clock.now()
        draft = new_erasure(run_id, principal.tenant_id, now, principal.id, basis)
        try:
            return ErasedRun(await self._storage.erase_payloads(draft), held)
        except EntryAlreadyRecordedError:
            earlier = _erasure(await run_entries(self._storage, principal.tenant_id, run_id))
            if earlier is None:
                raise
            return ErasedRun(earlier, 0)


def _erasure(entries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    return next((entry for entry in entries if entry.kind is EntryKind.ERASURE), None)
