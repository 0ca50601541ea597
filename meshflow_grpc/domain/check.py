"""Answers of checks: what a run would be held to, and whether a chain is intact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class PolicyViolation:
    """A rule a request violates: the field, the stage that would refuse, what is wrong, and the cheapest remedy."""

    field: str
    stage: str
    description: str
    remedy: str


@dataclass(frozen=True, slots=True)
class NodeExpectation:
    """What one node used in earlier runs: ``usage`` is the mean of a run that came to it, nano-USD and so on rounded up."""

    node_id: str
    model: str
    runs: int
    usage: Usage
    max_cost_nano_usd: int


@dataclass(frozen=True, slots=True)
class RunExpectation:
    """What a run will probably use by what earlier runs used; nodes they never came to count with their worst case."""

    runs: int
    usage: Usage
    nodes: tuple[NodeExpectation, ...]


@dataclass(frozen=True, slots=True)
class RunCheck:
    """Pre-flight of a request. ``estimate`` is the worst case; ``policy`` is the effective policy as JSON.

    ``expectation`` is there with ``enable_cross_run_learning``, once a run that opted in has finished.
    """

    admissible: bool
    workflow: str
    policy: Mapping[str, JsonValue]
    policy_digest: str
    violations: tuple[PolicyViolation, ...]
    estimate: Usage
    approval_nodes: tuple[str, ...]
    expectation: RunExpectation | None = None


def shown(stored: object) -> str:
    """Returns a stored value as valid Unicode, whatever tampering made of it: bytes that are not UTF-8 are escaped."""
    return str(stored).encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class ChainFault:
    """One thing wrong with a chain; ``sequence`` is the place in the run, ``seq`` in the whole ledger (0 when unknown)."""

    sequence: int
    seq: int
    node_id: str
    description: str


@dataclass(frozen=True, slots=True)
class PayloadErasure:
    """What an erasure entry says: the entry's place, when and by whom it was done, on what legal basis, and how much is gone."""

    sequence: int
    time: str
    principal_id: str
    basis: str
    payloads: int


@dataclass(frozen=True, slots=True)
class RunDeletion:
    """What a tombstone says: whose entries were deleted, how many, when, by whom and on what legal basis."""

    run_id: str
    entries: int
    time: str
    principal_id: str
    basis: str


@dataclass(frozen=True, slots=True)
class ChainVerification:
    """Result of verifying one run's chain. Truthy when valid.

    ``entries_in_log`` of its entries are under the newest signed head of the log, which has ``log_size`` entries. With a ``deletion``,
    the tombstone is all that is left of the run.
    """

    run_id: str
    entries_checked: int
    payloads_checked: int
    payloads_erased: int
    head_sequence: int
    head_hash: str
    faults: tuple[ChainFault, ...] = ()
    entries_in_log: int = 0
    log_size: int = 0
    erasures: tuple[PayloadErasure, ...] = ()
    deletion: RunDeletion | None = None

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def __bool__(self) -> bool:
        return self.valid


@dataclass(frozen=True, slots=True)
class LogFault:
    """One thing wrong with the log; ``seq`` is the entry's place in the ledger, run and sequence what its row says, if there is one."""

    seq: int
    run_id: str
    sequence: int
    description: str


@dataclass(frozen=True, slots=True)
class LogVerification:
    """Result of verifying the whole log. Truthy when valid.

    ``size`` is that of the newest head, ``pending`` entries wait for one, ``deletions`` account for the entries that are gone.
    """

    entries_checked: int
    pending: int
    size: int
    root: str
    heads_checked: int
    signed: bool
    faults: tuple[LogFault, ...] = ()
    deletions: tuple[RunDeletion, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def __bool__(self) -> bool:
        return self.valid
