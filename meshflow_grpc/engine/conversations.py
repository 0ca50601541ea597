"""What the next run of a session is told of those before it, read from the store: any server that shares it can go on."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from meshflow_grpc.domain.conversation import ConversationBounds, Turn
from meshflow_grpc.domain.errors import RunNotFoundError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.governance.detection.redaction import redact
from meshflow_grpc.kernel.stages.sensitive_data_scan import SENSITIVE
from meshflow_grpc.ports.storage import RunQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.kernel.ports import Scanner
    from meshflow_grpc.ports.storage import Storage

MAX_HELD: Final = 512
CUT: Final = " [cut]"
_PAGE: Final = 200


class Conversations:
    """Reads sessions. A turn is a completed run; forks try something out and are none.

    What was read of an ended run is held: it never changes, and an erased run is not of the session any more.
    """

    def __init__(self, storage: Storage, scanner: Scanner, bounds: ConversationBounds) -> None:
        self._storage = storage
        self._scanner = scanner
        self._bounds = bounds
        self._held: OrderedDict[tuple[str, bool], Turn | None] = OrderedDict()

    async def of(self, tenant_id: str, session_id: str | None, policy: Policy) -> tuple[Turn, ...]:
        """The turns a run is told, oldest first: the newest that fit.

        Sensitive data is masked when the policy of the turn's run, or this one, has scrub_pii. Raises LedgerUnavailableError, and
        PayloadKeyUnavailableError for a turn whose key this server lacks.
        """
        if session_id is None or not self._bounds.turns:
            return ()
        query = RunQuery(tenant_id, self._bounds.turns, status=RunStatus.COMPLETED.value, session_id=session_id)
        page = await self._storage.list_runs(query)
        turns = [await self._turn(run, policy.scrub_pii or run.policy.get("scrub_pii") is True) for run in page.runs]
        return fitting([turn for turn in turns if turn is not None], self._bounds.chars)

    async def _turn(self, run: Run, scrub: bool) -> Turn | None:
        key = (run.run_id, scrub)
        if key not in self._held:
            self._held[key] = await self._read(run, scrub)
        self._held.move_to_end(key)
        while len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        return self._held[key]

    async def _read(self, run: Run, scrub: bool) -> Turn | None:
        try:
            entries = await run_entries(self._storage, run.tenant_id, run.run_id)
        except RunNotFoundError:
            return None
        start = entries[0]
        if start.input is None or "forked_from" in start.facts:
            return None
        task = cast("str", json.loads(start.input)["task"])
        asked, answered = self._told(task, scrub), self._told(run.output, scrub)
        return Turn(run.run_id, asked, answered, _labels(entries))

    def _told(self, text: str, scrub: bool) -> str:
        """Masked first, so that a cut cannot hide half of what is to be masked."""
        masked = redact(text, self._scanner.scan_input(text).of(*SENSITIVE)) if scrub else text
        return cut(masked, self._bounds.chars)


def _labels(entries: Iterable[LedgerEntry]) -> frozenset[str]:
    committed = [e.facts["labels"] for e in entries if e.kind is EntryKind.STEP_COMMITTED]
    return frozenset().union(*(cast("Sequence[str]", labels) for labels in committed))


def fitting(newest_first: Iterable[Turn], chars: int) -> tuple[Turn, ...]:
    """The newest turns that fit whole, oldest first; the newest of all is cut rather than left out."""
    found: list[Turn] = []
    left = chars
    for turn in newest_first:
        size = len(turn.task) + len(turn.answer)
        if size > left and not found:
            task = cut(turn.task, chars // 2)
            found.append(replace(turn, task=task, answer=cut(turn.answer, chars - len(task))))
            break
        if size > left:
            break
        left -= size
        found.append(turn)
    return tuple(reversed(found))


def cut(text: str, chars: int) -> str:
    """The text, or its beginning and a mark."""
    return text if len(text) <= chars else text[: max(0, chars - len(CUT))] + CUT


async def told_of(storage: Storage, run: Run) -> tuple[str, ...]:
    """The later runs of the session that were told what this run was asked and answered, and hold copies of it; oldest first."""
    if run.session_id is None:
        return ()
    found: list[str] = []
    token = ""
    while True:
        page = await storage.list_runs(RunQuery(run.tenant_id, _PAGE, token, session_id=run.session_id))
        later = [other.run_id for other in page.runs if other.run_id > run.run_id]
        found += [other for other in later if run.run_id in await _turns_of(storage, run.tenant_id, other)]
        token = page.next_page_token
        if not token or page.runs[-1].run_id <= run.run_id:
            return tuple(reversed(found))


async def _turns_of(storage: Storage, tenant_id: str, run_id: str) -> Sequence[object]:
    try:
        start = (await storage.entries(tenant_id, run_id, limit=1))[0]
    except RunNotFoundError:
        return ()
    return cast("Sequence[object]", start.facts.get("conversation", ()))
