"""Verifies the whole log: every entry, every subtree, every head, and heads that were kept elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from meshflow_grpc.domain.check import shown
from meshflow_grpc.ledger.checkpoint import CheckpointError, open_checkpoint, parse_checkpoint
from meshflow_grpc.ledger.log_verify import HeadClaim, LogVerifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meshflow_grpc.domain.check import LogVerification
    from meshflow_grpc.ledger.checkpoint import Checkpoint
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.log import LogStore, RawLog, StoredHead

_LEAVES_AT_ONCE = 1000


async def verify_log(
    store: LogStore, trusted: Sequence[VerifierKey] = (), kept: Sequence[Checkpoint] = ()
) -> tuple[LogVerification, tuple[tuple[str, str], ...]]:
    """Returns what was found, and tenant and id of every run there is a trace of.

    Without trusted keys the signatures of stored heads are not checked. ``kept`` are heads verified by the caller, that were kept
    outside the ledger: only they show that the ledger was not rolled back, or rewritten by someone who holds the signing key.
    """
    async with store.raw_log() as log:
        faults: list[str] = []
        runs = _owned(log.runs, faults)
        claims = [_claim(head, trusted, faults) for head in log.heads]
        newest = claims[-1] if claims else None
        if newest is not None and newest.size < max(claim.size for claim in claims):
            faults.append("the newest head is smaller than one before it: an old head was put back")
        # Each leaf is a stored subtree. One with an index beyond their number is no entry's: the newest head then says where to stop.
        size = log.size if log.size <= log.subtrees else min(max(newest.size, 0) if newest else 0, log.subtrees)
        kept_claims = [HeadClaim(head.size, head.root, "the head you kept") for head in kept]
        verifier = LogVerifier(size, [*kept_claims, *claims])
        for description in faults:
            verifier.fault(description)
        await _entries(log, size, verifier)
        for description in _table_faults(log, verifier.size, newest, kept):
            verifier.fault(description)
        return verifier.finish(newest, len(claims) + len(kept), signed=bool(trusted)), runs


def _owned(runs: Iterable[tuple[object, object]], faults: list[str]) -> tuple[tuple[str, str], ...]:
    """Tenants and ids that a run can be found by; others are faults."""
    owned: list[tuple[str, str]] = []
    for tenant_id, run_id in runs:
        if isinstance(tenant_id, str) and isinstance(run_id, str):
            owned.append((tenant_id, run_id))
        else:
            faults.append(f"tenant {tenant_id!r} and id {run_id!r} of a run are not both texts")
    return tuple(owned)


def _table_faults(log: RawLog, entries: int, newest: HeadClaim | None, kept: Sequence[Checkpoint]) -> Iterator[str]:
    """What is wrong with the tables as such: rows that no log has, and rows that are gone without leaving a gap."""
    if newest is None and log.size:
        yield "there is no signed head: the heads were deleted, or the server never published one"
    size = newest.size if newest is not None else 0
    gone = [head.size for head in kept if size < head.size <= entries]
    if gone:
        yield f"the newest head is of {size} entries, the one you kept of {max(gone)}: heads were deleted"
    whole = 2 * log.size - log.size.bit_count()
    if log.subtrees != whole:
        yield f"there are {log.subtrees} subtrees, {log.size} entries have {whole}: some were added or removed"
    for run_id, rows in Counter(run_id for _, run_id in log.runs).items():
        if rows > 1:
            yield f"run {shown(run_id)} has {rows} rows, of which one can be its own"


async def _entries(log: RawLog, size: int, verifier: LogVerifier) -> None:
    async for page in log.pages:
        leaves = await log.nodes(verifier.wanted_leaves(page))
        nodes = verifier.add(page, leaves)
        verifier.compare(nodes, await log.nodes((node.level, node.idx) for node in nodes))
    rest = range(verifier.size, size)
    leaves = {}
    for start in range(rest.start, rest.stop, _LEAVES_AT_ONCE):
        leaves.update(await log.nodes((0, index) for index in rest[start - rest.start :][:_LEAVES_AT_ONCE]))
    verifier.finish_entries(leaves)


def _claim(head: StoredHead, trusted: Sequence[VerifierKey], faults: list[str]) -> HeadClaim:
    name = f"the head of {head.size} entries signed at {head.time}"
    try:
        checkpoint = (
            open_checkpoint(head.note, trusted).checkpoint
            if trusted
            else parse_checkpoint(head.note.rpartition("\n\n")[0] + "\n")
        )
    except CheckpointError as error:
        faults.append(f"{name} cannot be believed: {error.message}")
    else:
        if (checkpoint.size, checkpoint.root) != (head.size, head.root):
            faults.append(f"{name}: its row and its note do not agree")
    return HeadClaim(head.size, head.root, name)
