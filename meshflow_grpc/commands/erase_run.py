"""EraseRun: removes what people wrote from a run, or the run itself; chain and log stay valid and say who, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import (
    EntryAlreadyRecordedError,
    FieldViolation,
    InvalidRequestError,
    PayloadKeyUnavailableError,
    RunConflictError,
    RunImmutableError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.engine.conversations import told_of
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.governance.record_keeping import check_not_held
from meshflow_grpc.ledger.deletion import new_deletion
from meshflow_grpc.ledger.erasure import new_erasure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage

MAX_BASIS_CHARS = 500


class EraseMode(StrEnum):
    """What an erasure leaves: the chain without what people wrote, or a tombstone."""

    ANONYMIZE = "anonymize"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ErasedRun:
    """The entry that records the erasure, and how much it removed: inputs and outputs that could still be read, or entries.

    ``remaining_forks`` hold copies of the run's outputs and were left as they are; a later run of its session that was told of it
    counts as one.
    """

    entry: LedgerEntry
    payloads: int = 0
    entries: int = 0
    erased_forks: tuple[str, ...] = ()
    remaining_forks: tuple[str, ...] = ()


class EraseRunCommand:
    """Anonymizes or deletes a run of the caller's tenant that has ended, alone or with its forks."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def execute(
        self, principal: Principal, run_id: str, *, basis: str, mode: str = "", include_forks: bool = False
    ) -> ErasedRun:
        """Returns when it is done; what was erased before is left as it is.

        Raises RunConflictError while a run goes on, and RunImmutableError for a deletion under policy.immutable_audit, and
        PermissionDeniedError for a run under a legal hold; nothing was erased then.
        """
        chosen = _mode(mode)
        _check_basis(basis)
        forks = await self._copies(principal.tenant_id, run_id)
        await self._check_holds(principal.tenant_id, (run_id, *(forks if include_forks else ())))
        if include_forks:
            await self._check(principal.tenant_id, (run_id, *forks), chosen)
            for fork in reversed(forks):
                await self._erase(principal, fork, basis, chosen)
        erased = await self._erase(principal, run_id, basis, chosen)
        if include_forks:
            return ErasedRun(erased.entry, erased.payloads, erased.entries, forks)
        remaining = tuple([fork for fork in forks if await self._holds_copies(principal.tenant_id, fork)])
        return ErasedRun(erased.entry, erased.payloads, erased.entries, (), remaining)

    async def _copies(self, tenant_id: str, run_id: str) -> tuple[str, ...]:
        """Forks of the run and runs of its session that were told of it, oldest first."""
        forks = await self._storage.forks_of(tenant_id, run_id)
        try:
            run = await self._storage.get_run(tenant_id, run_id)
        except (RunNotFoundError, PayloadKeyUnavailableError):
            return forks
        return tuple(sorted({*forks, *await told_of(self._storage, run)}))

    async def _check_holds(self, tenant_id: str, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            try:
                run = await self._storage.get_run(tenant_id, run_id)
            except (RunNotFoundError, PayloadKeyUnavailableError):
                continue
            check_not_held(run_id, run.labels)

    async def _check(self, tenant_id: str, run_ids: Sequence[str], mode: EraseMode) -> None:
        """Refuses before anything is erased what the store would refuse in the middle."""
        for run_id in run_ids:
            try:
                run = await self._storage.get_run(tenant_id, run_id)
            except RunNotFoundError:
                continue
            if not run.status.ended:
                raise RunConflictError(
                    f"run {run_id!r} is {run.status.value}; cancel it, then erase", metadata={"run_id": run_id}
                )
            if mode is EraseMode.DELETE and run.policy.get("immutable_audit") is True:
                raise RunImmutableError(run_id)

    async def _holds_copies(self, tenant_id: str, fork: str) -> bool:
        return any(entry.input is not None for entry in (await self._readable(tenant_id, fork))[:1])

    async def _readable(self, tenant_id: str, run_id: str) -> tuple[LedgerEntry, ...]:
        """A run's entries; none when their key is gone already: what is left is to say so in the ledger."""
        try:
            return await run_entries(self._storage, tenant_id, run_id)
        except PayloadKeyUnavailableError:
            return ()

    async def _erase(self, principal: Principal, run_id: str, basis: str, mode: EraseMode) -> ErasedRun:
        tenant_id = principal.tenant_id
        entries = await self._readable(tenant_id, run_id)
        tombstone = _of_kind(entries, EntryKind.RUN_DELETED)
        if tombstone is not None:
            return ErasedRun(tombstone)
        await self._storage.drop_webhook(run_id)
        now = self._clock.now()
        if mode is EraseMode.DELETE:
            draft = new_deletion(run_id, tenant_id, now, principal.id, basis)
            return ErasedRun(await self._storage.delete_run(draft), entries=len(entries))
        earlier = _of_kind(entries, EntryKind.ERASURE)
        if earlier is not None:
            return ErasedRun(earlier)
        held = sum((entry.input is not None) + (entry.output is not None) for entry in entries)
        draft = new_erasure(run_id, tenant_id, now, principal.id, basis)
        try:
            return ErasedRun(await self._storage.erase_payloads(draft), held)
        except EntryAlreadyRecordedError:
            earlier = _of_kind(await run_entries(self._storage, tenant_id, run_id), EntryKind.ERASURE)
            if earlier is None:
                raise
            return ErasedRun(earlier)


def _check_basis(basis: str) -> None:
    if not basis.strip():
        raise InvalidRequestError.of(FieldViolation("basis", "must say why, for example 'gdpr art. 17(1)(b)'"))
    if len(basis) > MAX_BASIS_CHARS:
        raise InvalidRequestError.of(FieldViolation("basis", f"must have at most {MAX_BASIS_CHARS} characters"))


def _mode(mode: str) -> EraseMode:
    try:
        return EraseMode(mode or EraseMode.ANONYMIZE)
    except ValueError as error:
        known = ", ".join(each.value for each in EraseMode)
        raise InvalidRequestError.of(FieldViolation("mode", f"must be one of {known}, got {mode!r}")) from error


def _of_kind(entries: Iterable[LedgerEntry], kind: EntryKind) -> LedgerEntry | None:
    return next((entry for entry in entries if entry.kind is kind), None)
