"""Puts commands in order and links their entries: the part of a store that decides, without I/O.

A store keeps one sequencer, asks it which runs and requests it must look up, plans a batch, writes the plan in one
transaction, and then settles it, or reverts it when the transaction failed.
"""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import (
    MeshflowError,
    RunConflictError,
    RunImmutableError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import GENESIS_HASH
from meshflow_grpc.ledger.chain import Committer, link
from meshflow_grpc.ledger.deletion import deletion_draft
from meshflow_grpc.ledger.erasure import erasure_draft
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, UnreadableError
from meshflow_grpc.ledger.projection import COMMITTED, header_text, opens_header, without_person
from meshflow_grpc.ports.storage import CreatedRun, RunChange
from meshflow_grpc.storage.batch import (
    Append,
    CreateRun,
    DeleteRun,
    ErasePayloads,
    Head,
    Plan,
    Subject,
    already_recorded,
    disagrees,
    is_immutable,
    run_exists,
)
from meshflow_grpc.storage.draft_checks import check_drafts, check_end
from meshflow_grpc.storage.rows import run_row
from meshflow_grpc.storage.run_change import advanced, answer_again, change_at
from meshflow_grpc.storage.run_change import record_change as told_change
from meshflow_grpc.storage.run_change import update as row_update
from meshflow_grpc.storage.sealing import Sealer, damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.ledger.payload_cipher import DataKey, PayloadKeys, WrappedKey
    from meshflow_grpc.storage.batch import Command, EarlierRequest, RequestKey

MAX_HEADS = 20_000
NO_SUBJECT = Subject()


class Sequencer:
    """Assigns places, holds the heads of open runs, and plans batches. Not thread-safe: it has one owner."""

    def __init__(self, last_seq: int, next_salt: Callable[[], bytes], payload_keys: PayloadKeys = NO_KEYS) -> None:
        self.last_seq = last_seq
        self._next_salt = next_salt
        self._payload_keys = payload_keys
        self._plain = Sealer("", "", None, next_salt)
        self._heads: OrderedDict[str, Head] = OrderedDict()
        self._touched: set[str] = set()
        self._unreadable: dict[str, MeshflowError] = {}
        self._seq_before = last_seq

    def unknown_runs(self, commands: Iterable[Command]) -> list[str]:
        """Returns the ids of runs that a batch appends to and whose head is not held."""
        ids = {command.run_id for command in commands if not isinstance(command, CreateRun)}
        return [run_id for run_id in ids if run_id not in self._heads]

    def plan(
        self,
        commands: Iterable[Command],
        heads: Mapping[str, Head | MeshflowError],
        requests: Mapping[RequestKey, EarlierRequest],
        wrapped: Mapping[str, WrappedKey] = MappingProxyType({}),
        subject: Subject = NO_SUBJECT,
    ) -> Plan:
        """Plans a batch. The store looked up for it: heads and wrapped keys of runs, fingerprint and run by request id.

        ``subject`` is the run that an erasure or a deletion, which is planned alone, is about.
        """
        self._unreadable = {}
        for run_id, head in heads.items():
            self._hold(run_id, head, wrapped.get(run_id))
        self._touched = set()
        self._seq_before = self.last_seq
        plan, known = Plan(), dict(requests)
        for command in commands:
            try:
                if isinstance(command, Append):
                    plan.outcomes.append(self._append(command, plan))
                elif isinstance(command, CreateRun):
                    plan.outcomes.append(self._create(command, plan, known))
                elif isinstance(command, ErasePayloads):
                    plan.outcomes.append(self._erase(command, plan, subject))
                else:
                    plan.outcomes.append(self._delete(command, plan, subject))
            except MeshflowError as error:
                plan.outcomes.append(error)
        return plan

    def settle(self) -> None:
        """The last plan is durable: forgets ended runs and, beyond the bound, the runs idle for longest."""
        for run_id in self._touched:
            if self._heads[run_id].status.ended:
                del self._heads[run_id]
        while len(self._heads) > MAX_HEADS:
            self._heads.popitem(last=False)
        self._touched = set()

    def revert(self) -> None:
        """The last plan was not written: its places are free again and its runs must be looked up anew."""
        for run_id in self._touched:
            self._heads.pop(run_id, None)
        self._touched = set()
        self.last_seq = self._seq_before

    def _hold(self, run_id: str, head: Head | MeshflowError, wrapped: WrappedKey | None) -> None:
        try:
            if isinstance(head, MeshflowError):
                raise head
            if wrapped is not None and not head.status.ended:
                head = head._replace(key=self._payload_keys.open_key(wrapped))
        except UnreadableError:
            self._unreadable[run_id] = damaged(run_id)
        except MeshflowError as error:
            self._unreadable[run_id] = error
        else:
            self._heads[run_id] = head

    def _new_key(self, run_id: str, plan: Plan) -> DataKey | None:
        if not self._payload_keys:
            return None
        key, wrapped = self._payload_keys.new_key(run_id, self._next_salt)
        plan.keys.append(wrapped)
        return key

    def _create(self, command: CreateRun, plan: Plan, known: dict[RequestKey, EarlierRequest]) -> CreatedRun:
        run, draft = command.run, command.draft
        key = (run.tenant_id, run.request_id) if run.request_id is not None else None
        if key is not None and key in known:
            return answer_again(known[key], command.request_fingerprint)
        if run.run_id in self._heads:
            raise run_exists(run.run_id)
        check_drafts((draft,), run.run_id, run.tenant_id)
        change = RunChange(run.usage, run.status, run.output or None, run.blocked_by, run.reason)
        check_end((draft,), change)
        committer = Committer(run.tenant_id, run.run_id, 1, self._next_salt)
        row = run_row(run, command.request_fingerprint)
        header, header_salt = committer.commit(COMMITTED["header"], header_text(row))
        record_change, salts = told_change(change, committer)
        record_change["header"] = header
        entry = link(draft, committer, self.last_seq + 1, GENESIS_HASH, record_change)
        run = run._replace(entries=1, head_hash=entry.hash, update_time=draft.time)
        row = row._replace(
            entries=1,
            head_hash=entry.hash,
            update_time=draft.time,
            output_salt=salts.get("output"),
            reason_salt=salts.get("reason"),
            header_salt=header_salt,
        )
        data_key = self._new_key(run.run_id, plan)
        sealer = self._plain if data_key is None else Sealer(run.tenant_id, run.run_id, data_key, self._next_salt)
        plan.runs.append(sealer.run(row))
        plan.entries.append(sealer.entry(entry))
        self._move(
            run.run_id,
            Head(run.tenant_id, 1, entry.hash, run.status, run.usage, data_key, immutable=is_immutable(run)),
            1,
        )
        if key is not None:
            known[key] = (command.request_fingerprint, run)
        return CreatedRun(run, entry, created=True)

    def _append(self, command: Append, plan: Plan) -> tuple[LedgerEntry, ...]:
        run_id, drafts, change = command.run_id, command.drafts, command.change
        head = self._heads.get(run_id)
        if head is None:
            raise self._unreadable.get(run_id) or RunNotFoundError(run_id)
        check_drafts(drafts, run_id, head.tenant_id)
        if head.status.ended:
            raise RunConflictError(
                f"run {run_id!r} has ended ({head.status.value}); start a new run", metadata={"run_id": run_id}
            )
        if head.sealed and head.key is None:
            raise damaged(run_id)
        if change is not None:
            check_end(drafts, change)
        salts: dict[str, str] = {}
        entries: list[LedgerEntry] = []
        sequence, hash_, last = head.sequence, head.hash, len(drafts) - 1
        for index, draft in enumerate(drafts):
            sequence += 1
            committer = Committer(head.tenant_id, run_id, sequence, self._next_salt)
            told, record_change = change_at(index, last, change), None
            if told is not None:
                record_change, salts = told_change(told, committer)
            entry = link(draft, committer, self.last_seq + index + 1, hash_, record_change)
            hash_ = entry.hash
            entries.append(entry)
        head = advanced(head, sequence, hash_, change)
        if head.key is None and self._payload_keys:
            head = head._replace(key=self._new_key(run_id, plan))
        sealer = self._plain if head.key is None else Sealer(head.tenant_id, run_id, head.key, self._next_salt)
        plan.entries.extend(map(sealer.entry, entries))
        update = sealer.update(row_update(run_id, drafts[-1].time, head, change, salts))
        earlier = plan.updates.get(run_id)
        plan.updates[run_id] = update if earlier is None else update.over(earlier)
        self._move(run_id, head, len(entries))
        return tuple(entries)

    def _erase(self, command: ErasePayloads, plan: Plan, subject: Subject) -> tuple[LedgerEntry, ...]:
        run_id, draft = command.run_id, command.draft
        head = self._ended(draft, "erase")
        if subject.recorded:
            raise already_recorded(draft)
        row = subject.row
        if row is None or not opens_header(subject.first_record, row):
            raise disagrees(run_id)
        committer = Committer(head.tenant_id, run_id, head.sequence + 1, self._next_salt)
        header, plan.header_salts[run_id] = committer.commit(COMMITTED["header"], header_text(without_person(row)))
        entry = self._after(head, erasure_draft(draft, head.sequence), committer, {"header": header})
        head = advanced(head, entry.sequence, entry.hash, None)
        plan.entries.append(entry)
        plan.erased_runs.append(run_id)
        update = row_update(run_id, draft.time, head, None, {})
        earlier = plan.updates.get(run_id)
        plan.updates[run_id] = update if earlier is None else update.over(earlier)
        self._move(run_id, head, 1)
        return (entry,)

    def _delete(self, command: DeleteRun, plan: Plan, subject: Subject) -> tuple[LedgerEntry, ...]:
        run_id, draft = command.run_id, command.draft
        head = self._ended(draft, "delete")
        if head.immutable:
            raise RunImmutableError(run_id)
        committer = Committer(head.tenant_id, run_id, head.sequence + 1, self._next_salt)
        entry = self._after(head, deletion_draft(draft, head.sequence, subject.seqs), committer)
        plan.entries.append(entry)
        plan.deleted_runs.append(run_id)
        self._move(run_id, head, 1)
        return (entry,)

    def _ended(self, draft: EntryDraft, what: str) -> Head:
        head = self._heads.get(draft.run_id)
        if head is None:
            raise self._unreadable.get(draft.run_id) or RunNotFoundError(draft.run_id)
        check_drafts((draft,), draft.run_id, head.tenant_id)
        if not head.status.ended:
            raise RunConflictError(
                f"run {draft.run_id!r} is {head.status.value}; cancel it, then {what}",
                metadata={"run_id": draft.run_id},
            )
        return head

    def _after(
        self, head: Head, draft: EntryDraft, committer: Committer, change: dict[str, Any] | None = None
    ) -> LedgerEntry:
        return link(draft, committer, self.last_seq + 1, head.hash, change)

    def _move(self, run_id: str, head: Head, entries: int) -> None:
        self._touched.add(run_id)
        self._heads[run_id] = head
        self._heads.move_to_end(run_id)
        self.last_seq += entries
