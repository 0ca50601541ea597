"""What goes in and out of a batch: commands, the heads they move, and the rows to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from meshflow_grpc.domain.errors import (
    EntryAlreadyRecordedError,
    LedgerUnavailableError,
    MeshflowError,
    RunConflictError,
)
from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.domain.stored_row import EntryRow, RunRow
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ledger.payload_cipher import DataKey, WrappedKey, is_sealed
from meshflow_grpc.ledger.projection import without_person
from meshflow_grpc.ports.storage import CreatedRun, RunChange
from meshflow_grpc.storage.rows import run_of

RequestKey = tuple[str, str]
EarlierRequest = tuple[str, Run] | MeshflowError


class CreateRun(NamedTuple):
    """Command: record a new run and its first entry."""

    run: Run
    draft: EntryDraft
    request_fingerprint: str


class Append(NamedTuple):
    """Command: append entries to a run and change its projection."""

    run_id: str
    drafts: Sequence[EntryDraft]
    change: RunChange | None


@dataclass(frozen=True, slots=True)
class ErasePayloads:
    """Command: append an erasure entry to a run that has ended, and erase all payloads of the entries before it."""

    draft: EntryDraft

    @property
    def run_id(self) -> str:
        """The run."""
        return self.draft.run_id

    @property
    def drafts(self) -> tuple[EntryDraft, ...]:
        """The entry, without the range that the store adds."""
        return (self.draft,)


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Command: append a tombstone to a run that has ended, and delete all else of it. Written in a transaction of its own."""

    draft: EntryDraft

    @property
    def run_id(self) -> str:
        """The run."""
        return self.draft.run_id

    @property
    def drafts(self) -> tuple[EntryDraft, ...]:
        """The tombstone, without the seqs that the store adds."""
        return (self.draft,)


Command = CreateRun | Append | ErasePayloads | DeleteRun
WRITTEN_ALONE: Final = (DeleteRun, ErasePayloads)
Outcome = CreatedRun | tuple[LedgerEntry, ...] | MeshflowError


class Head(NamedTuple):
    """The end of a run's chain, its running totals, and the key of its payloads; ``sealed`` without a key: it is lost."""

    tenant_id: str
    sequence: int
    hash: str
    status: RunStatus
    usage: Usage
    key: DataKey | None = None
    sealed: bool = False
    immutable: bool = False


class RunUpdate(NamedTuple):
    """New values of a run's row; None keeps the old one. The first column is the key."""

    run_id: str
    update_time: str
    entries: int
    head_hash: str
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int
    carbon_ug: int
    steps: int
    status: str | None
    output: str | None
    output_salt: str | None
    blocked_by: str | None
    reason: str | None
    reason_salt: str | None

    def over(self, earlier: RunUpdate) -> RunUpdate:
        """Returns this update made on top of an earlier one."""
        return RunUpdate._make(old if new is None else new for old, new in zip(earlier, self, strict=True))


# The columns after the totals, in the order of RunUpdate, when an append leaves them as they are.
UNCHANGED: Final = (None,) * 6


@dataclass(slots=True)
class Plan:
    """What a batch writes, its texts as they are stored, and one outcome for each of its commands."""

    outcomes: list[Outcome] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    updates: dict[str, RunUpdate] = field(default_factory=dict)
    erased_runs: list[str] = field(default_factory=list)
    deleted_runs: list[str] = field(default_factory=list)
    header_salts: dict[str, str] = field(default_factory=dict)
    keys: list[WrappedKey] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a store looks up for an erasure or a deletion: the run's row, its first record, and the seqs of its entries.

    ``recorded`` when there is an entry like the one to append.
    """

    row: RunRow | None = None
    first_record: object = None
    seqs: Sequence[int] = ()
    recorded: bool = False


def parts_of(commands: Sequence[Command]) -> list[Sequence[Command]]:
    """Splits a batch so that each erasure and each deletion is written alone, in its place."""
    parts: list[Sequence[Command]] = []
    start = 0
    for place, command in enumerate(commands):
        if isinstance(command, WRITTEN_ALONE):
            parts += [commands[start:place], (command,)]
            start = place + 1
    return [part for part in (*parts, commands[start:]) if part]


def is_immutable(run: Run) -> bool:
    """Whether the run is under policy.immutable_audit."""
    return run.policy.get("immutable_audit") is True


def head_of(row: RunRow) -> Head | MeshflowError:
    """Returns the head that a run's row states, or why it cannot be read."""
    columns: Any = row
    try:
        run = run_of(row)
    except MeshflowError as error:
        return error
    run_sealed = is_sealed(run.output) or is_sealed(run.reason)
    return Head(
        run.tenant_id,
        columns.entries,
        columns.head_hash,
        run.status,
        run.usage,
        sealed=run_sealed,
        immutable=is_immutable(run),
    )


def request_of(row: RunRow) -> tuple[str, Run] | MeshflowError:
    """Returns the request fingerprint and the run of a row, or why it cannot be read."""
    try:
        return str(row.request_fingerprint), run_of(row)
    except MeshflowError as error:
        return error


def run_id_of(command: Command) -> str:
    """The run a command is about."""
    return command.run.run_id if isinstance(command, CreateRun) else command.run_id


def run_exists(run_id: str) -> RunConflictError:
    """Builds the error for a run id that is taken."""
    return RunConflictError(
        f"a run with the id {run_id!r} exists; take another id, or read that run", metadata={"run_id": run_id}
    )


def disagrees(run_id: str) -> LedgerUnavailableError:
    """Builds the error for a run whose row was tampered with."""
    return LedgerUnavailableError(
        f"the row of run {run_id!r} does not agree with its entries; verify the run's chain",
        metadata={"run_id": run_id},
    )


def already_recorded(draft: EntryDraft) -> EntryAlreadyRecordedError:
    """Builds the error for an entry whose (run_id, step_id, attempt, kind) is taken."""
    kind = draft.kind.value
    return EntryAlreadyRecordedError(
        f"{kind} of step {draft.step_id!r}, attempt {draft.attempt}, is recorded in run {draft.run_id!r}",
        metadata={"run_id": draft.run_id, "step_id": draft.step_id, "attempt": str(draft.attempt), "kind": kind},
    )


def planned_row(plan: Plan, run_id: str, held: RunRow | None) -> RunRow:
    """A run's row as a plan leaves it; ``held`` is the one before, None for a new run."""
    row = held if held is not None else next(new for new in plan.runs if new.run_id == run_id)
    row = updated_row(row, plan.updates.get(run_id))
    if run_id in plan.erased_runs:
        row = without_person(row)._replace(header_salt=plan.header_salts[run_id])
    return row


def updated_row(row: RunRow, update: RunUpdate | None) -> RunRow:
    """A run's row with the new values of an update, if there is one."""
    if update is None:
        return row
    return row._replace(**{name: value for name, value in update._asdict().items() if value is not None})


def without_payloads(row: EntryRow) -> EntryRow:
    """An entry's row after its run was erased."""
    return row._replace(input=None, output=None, input_salt=None, output_salt=None)
