"""GetConsistencyProof: the log at one size is a prefix of the log at a later one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, LogInconsistentError
from meshflow_grpc.ledger.log_keys import stored_root
from meshflow_grpc.ledger.merkle import InvalidProofError, assemble, consistency_ranges, nodes_of
from meshflow_grpc.ledger.merkle_nodes import frontier_nodes

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.log_publisher import LogPublisher
    from meshflow_grpc.ports.log import LogStore


@dataclass(frozen=True, slots=True)
class ProvedGrowth:
    """Two sizes and roots of the log and the proof between them; ``checkpoint`` is a signed note of the later one, if there is one."""

    first: int
    second: int
    first_root: bytes
    second_root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


class GetConsistencyProofCommand:
    """Proves that the log only grew. The log is one for all tenants, and its heads show nothing of what is in it."""

    def __init__(self, store: LogStore, publisher: LogPublisher) -> None:
        self._store = store
        self._publisher = publisher

    async def execute(self, principal: Principal, *, first: int, second: int) -> ProvedGrowth:
        """A ``second`` of 0 means the newest head. Raises InvalidRequestError when the sizes are not ones the log had."""
        del principal
        if first < 0 or second < 0:
            field = "first" if first < 0 else "second"
            raise InvalidRequestError.of(FieldViolation(field, "must not be negative"))
        newest = await self._publisher.covering(max(second, first)) if second else await self._publisher.publish()
        return await prove_growth(self._store, first, second or newest.size, newest.size)


async def prove_growth(store: LogStore, first: int, second: int, newest: int) -> ProvedGrowth:
    """Returns the proof between two sizes of a log that has ``newest`` entries under its newest head."""
    if second > newest:
        raise InvalidRequestError.of(FieldViolation("second", f"is larger than the log, which has {newest} entries"))
    if first > second:
        raise InvalidRequestError.of(FieldViolation("first", f"must be at most second, {second}"))
    ranges = consistency_ranges(first, second)
    wanted = dict.fromkeys((*nodes_of(ranges), *frontier_nodes(first), *frontier_nodes(second)))
    found = await store.merkle_nodes(wanted)
    stored = {node: found[node] for node in wanted if node in found}
    try:
        hashes = assemble(ranges, stored)
    except InvalidProofError as error:
        raise LogInconsistentError("the log is damaged: it lacks a subtree; see `meshflow ledger verify`") from error
    head = await store.head_of_size(second)
    roots = stored_root(first, stored), stored_root(second, stored)
    return ProvedGrowth(first, second, *roots, hashes, head.note if head is not None else "")
