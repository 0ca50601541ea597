"""Entries of the append-only ledger."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue

GENESIS_HASH = "0" * 64


class EntryKind(StrEnum):
    """What an entry records: one transition of a run."""

    RUN_STARTED = "run_started"
    RUN_RESUMED = "run_resumed"
    RUN_PAUSED = "run_paused"
    STEP_INTENT = "step_intent"
    BUDGET_RESERVED = "budget_reserved"
    STEP_COMMITTED = "step_committed"
    STEP_DENIED = "step_denied"
    STEP_PAUSED = "step_paused"
    STEP_FAILED = "step_failed"
    STEP_CANCELLED = "step_cancelled"
    LOOP_ITERATED = "loop_iterated"
    GATE_DECIDED = "gate_decided"
    RUN_FINISHED = "run_finished"
    ERASURE = "erasure"
    RUN_DELETED = "run_deleted"


OUTCOME_KINDS = frozenset(
    {
        EntryKind.STEP_COMMITTED,
        EntryKind.STEP_DENIED,
        EntryKind.STEP_PAUSED,
        EntryKind.STEP_FAILED,
        EntryKind.STEP_CANCELLED,
    }
)
# Between a step's id and the number of its reservation, in the step_id of a budget_reserved entry.
RESERVATION_MARK = "$"
_NO_FACTS: Mapping[str, JsonValue] = MappingProxyType({})


class EntryDraft(NamedTuple):
    """An entry before the store links it into the chain.

    ``facts`` are the fields the hash covers beside the fixed ones: JSON without floats (integers below 2^53).
    ``input`` and ``output`` are payloads as JSON text; the record holds only their salted commitments.
    ``step_id`` and ``attempt`` make the append idempotent: (run_id, step_id, attempt, kind) is unique.
    """

    run_id: str
    tenant_id: str
    kind: EntryKind
    time: str
    node_id: str = ""
    step_id: str = ""
    attempt: int = 1
    facts: Mapping[str, JsonValue] = _NO_FACTS
    input: str | None = None
    output: str | None = None


class LedgerEntry(NamedTuple):
    """A recorded entry. ``record`` holds the canonical bytes, the authority; the other fields are read from it or index it."""

    seq: int
    run_id: str
    tenant_id: str
    sequence: int
    kind: EntryKind
    time: str
    node_id: str
    step_id: str
    attempt: int
    facts: Mapping[str, JsonValue]
    input: str | None
    output: str | None
    input_salt: str | None
    output_salt: str | None
    prev_hash: str
    hash: str
    record: bytes
