"""Ends runs at peers that a run here waited for when it was cancelled or rejected: nobody will ask for their results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import structlog

from meshflow_grpc.domain.errors import MeshflowError
from meshflow_grpc.domain.ledger_entry import OUTCOME_KINDS, EntryKind
from meshflow_grpc.domain.mesh import PeerTarget
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.ports.mesh import PeerCall, PeerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.mesh import MeshAccess
    from meshflow_grpc.ports.observer import RunObserver
    from meshflow_grpc.ports.storage import Storage

_log = structlog.get_logger(__name__)
_GIVEN_UP = frozenset({RunStatus.CANCELLED, RunStatus.REJECTED})


def ending_peer_runs(observer: RunObserver, storage: Storage, mesh: MeshAccess | None) -> RunObserver:
    """The observer, told first; without a mesh there is nothing else to do."""
    return observer if mesh is None else _EndsPeerRuns(observer, storage, mesh)


class _EndsPeerRuns:
    """Implements RunObserver. What cannot be ended now ends by its own time-out: the peer's approval has one too."""

    def __init__(self, observer: RunObserver, storage: Storage, mesh: MeshAccess) -> None:
        self._observer = observer
        self._storage = storage
        self._mesh = mesh
        self._tasks: set[asyncio.Task[None]] = set()

    def run_started(self, run: Run) -> None:
        """See RunObserver."""
        self._observer.run_started(run)

    def run_ended(self, run: Run) -> None:
        """See RunObserver; a step that was under way has ended its peer's run itself."""
        self._observer.run_ended(run)
        if run.status in _GIVEN_UP:
            task = asyncio.ensure_future(self._end_all(run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end_all(self, run: Run) -> None:
        try:
            entries = await run_entries(self._storage, run.tenant_id, run.run_id)
        except MeshflowError as error:
            _log.warning("peer_runs_not_ended", run_id=run.run_id, error=str(error))
            return
        await asyncio.gather(*(self._end(run, step_id, peer) for step_id, peer in _waiting(entries).items()))

    async def _end(self, run: Run, step_id: str, peer: Mapping[str, str]) -> None:
        call = PeerCall(run.tenant_id, "", "", {}, f"{run.run_id}/{step_id}", 0.0)
        for node in self._mesh.peers.candidates(run.tenant_id, PeerTarget(peer["slug"])):
            if node.node_id == peer["node_id"]:
                try:
                    await self._mesh.client.cancel(node, call, peer["run_id"])
                except PeerError as error:
                    _log.warning("peer_run_not_cancelled", peer=node.slug, peer_run_id=peer["run_id"], error=str(error))


def _waiting(entries: Sequence[LedgerEntry]) -> dict[str, Mapping[str, str]]:
    """Steps whose last outcome is that they wait for a peer's run, and that run."""
    last = {entry.step_id: entry for entry in entries if entry.kind in OUTCOME_KINDS}
    return {
        step_id: cast("Mapping[str, str]", entry.facts["peer"])
        for step_id, entry in last.items()
        if entry.kind is EntryKind.STEP_PAUSED and "peer" in entry.facts
    }
