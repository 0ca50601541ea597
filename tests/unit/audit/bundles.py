"""A small log of real runs, and bundles of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.governance.effective_policy import of_policy
from meshflow_grpc.ledger.chain import Committer, link
from meshflow_grpc.ledger.checkpoint import Checkpoint, sign_checkpoint
from meshflow_grpc.ledger.evidence import Coverage, EntryProof, Evidence, bundle_chunks
from meshflow_grpc.ledger.merkle import consistency_proof, inclusion_proof, root_of
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from meshflow_grpc.ledger.note_key import generate_signing_key
from meshflow_grpc.ledger.proof_text import ConsistencyProof, InclusionProof
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.batch import Append, CreateRun
from meshflow_grpc.storage.rows import entry_row
from meshflow_grpc.storage.sequencer import Sequencer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.stored_row import EntryRow, RunRow

ORIGIN = "log.example.org/meshflow"
KEY = generate_signing_key(ORIGIN, lambda size: bytes(range(size)))
OTHER_KEY = generate_signing_key(ORIGIN, lambda size: bytes(range(1, size + 1)))
TRUST = KEY.verifier.vkey + "\n"
POLICY = of_policy(Policy(budget_usd=0.5))


class ErasureKind(StrEnum):
    """The kind of an entry that records an erasure."""

    ERASURE = "erasure"


@dataclass
class SampleLog:
    """Rows as a store holds them, in log order, and the log's tree over them."""

    entries: list[EntryRow]
    runs: dict[str, RunRow]
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index()

    def index(self) -> None:
        """Builds the tree anew."""
        records: list[Any] = [row.record for row in self.entries]
        self.nodes = {(level, idx): value for level, idx, value in CompactRange().append(records)}

    def hash_of(self, level: int, idx: int) -> bytes:
        """Reads a stored node."""
        return self.nodes[level, idx]

    def checkpoint(self, size: int, key: object = KEY) -> str:
        """Signs the head at a size."""
        return sign_checkpoint(Checkpoint(ORIGIN, size, root_of(size, self.hash_of)), [key])  # type: ignore[list-item]

    def consistency(self, old_size: int, size: int) -> ConsistencyProof:
        """Proves that the log grew from one size to the other."""
        return ConsistencyProof(old_size, consistency_proof(old_size, size, self.hash_of), self.checkpoint(size))

    def evidence(
        self, *run_ids: str, heads: Sequence[int] = (), with_payloads: bool = True, whole: bool = False
    ) -> Evidence:
        """Returns the evidence of some runs, or of the whole log, under heads at some sizes and at the end."""
        size = len(self.entries)
        sizes = sorted({*heads, size})
        chosen = set(self.runs) if whole or not run_ids else set(run_ids)
        entries = [row for row in self.entries if row.run_id in chosen]
        places = {row.run_id: index for index, row in enumerate(self.entries) if row.run_id in chosen}
        proofs = [
            EntryProof(
                str(run_id),
                int(str(self.entries[index].sequence)),
                InclusionProof(index, inclusion_proof(index, size, self.hash_of), self.checkpoint(size)),
            )
            for run_id, index in places.items()
        ]
        return Evidence(
            origin=ORIGIN,
            coverage=Coverage.LOG if whole else Coverage.RUNS,
            entries=entries,
            runs=[self.runs[str(run_id)] for run_id in chosen],
            checkpoints=[self.checkpoint(at) for at in sizes],
            keys=[KEY.verifier],
            exported="by p-9 at 2026-01-03T00:00:00.000Z",
            proofs=() if whole else proofs,
            consistency=[self.consistency(old, new) for old, new in pairwise(sizes)],
            with_payloads=with_payloads,
        )


def sample_log(runs: int = 3, steps: int = 2) -> SampleLog:
    """Returns a log of interleaved runs; the last one is still running, the first had a decision by a person."""
    numbers = count(1)
    sequencer = Sequencer(0, lambda: next(numbers).to_bytes(32, "big"))
    ids = [f"run_{number}" for number in range(1, runs + 1)]
    commands: list[Any] = [CreateRun(_run(run_id), _draft(run_id, EntryKind.RUN_STARTED, 0), "fp") for run_id in ids]
    for place in range(1, steps + 1):
        commands += [
            Append(run_id, (_draft(run_id, EntryKind.STEP_COMMITTED, place),), RunChange(usage=Usage(3, 4, 50, 6, 1)))
            for run_id in ids
        ]
    commands.append(Append(ids[0], (_draft(ids[0], EntryKind.GATE_DECIDED, steps + 1),), None))
    ended = RunChange(status=RunStatus.COMPLETED, output="done: é", reason="all steps committed")
    commands += [Append(run_id, (_draft(run_id, EntryKind.RUN_FINISHED, 50),), ended) for run_id in ids[:-1]]
    plan = sequencer.plan(commands, {}, {})
    rows = {}
    for row in plan.runs:
        changes = {name: value for name, value in plan.updates[str(row.run_id)]._asdict().items() if value is not None}
        rows[str(row.run_id)] = row._replace(**changes)
    return SampleLog([entry_row(entry) for entry in plan.entries], rows)


def erase(log: SampleLog, run_id: str, last: int, names: Sequence[str], *, delete: bool = True) -> None:
    """Erases payloads of a run's first entries: appends the erasure entry, and deletes payloads and salts."""
    run = log.runs[run_id]
    sequence = int(str(run.entries)) + 1
    facts: dict[str, Any] = {
        "actor": {"principal": "p-dpo", "auth": "mtls"},
        "basis": "GDPR Art. 17 request 4711",
        "erased": [{"first": 1, "last": last, "names": list(names)}],
    }
    kind: Any = ErasureKind.ERASURE
    draft = _draft(run_id, kind, 55)._replace(facts=facts, input=None, output=None)
    committer = Committer(draft.tenant_id, run_id, sequence, lambda: bytes(32))
    entry = link(draft, committer, len(log.entries) + 1, str(run.head_hash))
    if delete:
        gone = {column: None for name in ("input", "output") if name in names for column in (name, f"{name}_salt")}
        log.entries = [
            row._replace(**gone) if row.run_id == run_id and int(str(row.sequence)) <= last else row
            for row in log.entries
        ]
    log.entries.append(entry_row(entry))
    run = run._replace(entries=sequence, head_hash=entry.hash, update_time=entry.time)
    if "run_output" in names:
        run = run._replace(output="", output_salt=None)
    log.runs[run_id] = run
    log.index()


def bundle(evidence: Evidence) -> bytes:
    """Returns the bundle's bytes."""
    return b"".join(bundle_chunks(evidence))


def _run(run_id: str) -> Run:
    return Run(
        run_id,
        "acme",
        workflow="default",
        status=RunStatus.RUNNING,
        policy_digest=POLICY.digest,
        policy=POLICY.json,
        create_time="2026-01-02T03:00:00.000Z",
        update_time="2026-01-02T03:00:00.000Z",
        principal_id="p-1",
        labels={"team": "ü"},
    )


def _draft(run_id: str, kind: EntryKind, place: int) -> EntryDraft:
    return EntryDraft(
        run_id,
        "acme",
        kind,
        f"2026-01-02T03:00:{place:02}.000Z",
        node_id=f"node_{place}",
        step_id=f"step_{place}",
        facts={"policy_digest": POLICY.digest, "decision": "approve", "note": 'ü\x1f"\U0001f600'},
        input=json.dumps({"place": place, "secret": "Ada Lovelace"}),
        output=None if kind is EntryKind.RUN_STARTED else json.dumps({"out": f"é{place}"}, ensure_ascii=False),
    )
