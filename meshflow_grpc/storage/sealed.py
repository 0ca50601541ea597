"""A store read through its keys: what the stores seal when they write is opened here when it is read."""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from meshflow_grpc.domain.errors import PayloadKeyUnavailableError
from meshflow_grpc.ledger.payload_cipher import KEY_BYTES, UnreadableError
from meshflow_grpc.ports.storage import CreatedRun, RawChain, RunPage, Storage
from meshflow_grpc.storage.passing_on import PassingOn
from meshflow_grpc.storage.sealing import (
    damaged,
    entry_sealed,
    opened_entry,
    opened_entry_row,
    opened_run,
    opened_run_row,
    run_sealed,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.stored_row import EntryRow
    from meshflow_grpc.ledger.payload_cipher import DataKey, PayloadKeys, WrappedKey
    from meshflow_grpc.ports.storage import RunChange, RunOwner, RunQuery

MAX_KEYS_HELD: Final = 4096
KEYS_AT_ONCE: Final = 500


class KeyedStorage(Storage, Protocol):
    """A store that gives texts as they are stored, and the wrapped keys they are sealed with."""

    async def payload_keys(self, run_ids: Sequence[str]) -> dict[str, WrappedKey]:
        """Returns the wrapped keys of the runs that have one."""
        ...

    async def payload_keys_not_under(self, key_id: str, after: str, limit: int) -> tuple[WrappedKey, ...]:
        """Returns keys that another key wraps, of runs with a greater id, in order."""
        ...

    async def replace_payload_keys(self, keys: Sequence[WrappedKey]) -> None:
        """Replaces the keys of runs that still have one."""
        ...


class SealedStorage(PassingOn[KeyedStorage]):
    """Storage over a KeyedStorage; see ``ports.storage.Storage``.

    Raises PayloadKeyUnavailableError where a key is missing: nothing is ever given as empty because it could not be decrypted.
    """

    def __init__(self, store: KeyedStorage, keys: PayloadKeys) -> None:
        super().__init__(store)
        self._keys = keys
        self._held: OrderedDict[str, DataKey] = OrderedDict()

    async def create_run(self, run: Run, draft: EntryDraft, request_fingerprint: str) -> CreatedRun:
        """See Storage."""
        made = await self.store.create_run(run, draft, request_fingerprint)
        return made if made.created else replace(made, run=await self._opened_run(made.run))

    def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> Awaitable[tuple[LedgerEntry, ...]]:
        """See Storage."""
        return self.store.append(run_id, drafts, change)

    async def erase_payloads(self, draft: EntryDraft) -> LedgerEntry:
        """See Storage."""
        entry = await self.store.erase_payloads(draft)
        self._held.pop(draft.run_id, None)
        return entry

    async def delete_run(self, draft: EntryDraft) -> LedgerEntry:
        """See Storage."""
        entry = await self.store.delete_run(draft)
        self._held.pop(draft.run_id, None)
        return entry

    async def get_run(self, tenant_id: str, run_id: str) -> Run:
        """See Storage."""
        return await self._opened_run(await self.store.get_run(tenant_id, run_id))

    async def list_runs(self, query: RunQuery) -> RunPage:
        """See Storage."""
        page = await self.store.list_runs(query)
        return RunPage(await self._opened_runs(page.runs), page.next_page_token)

    async def entries(
        self, tenant_id: str, run_id: str, *, after_sequence: int = 0, limit: int = 1000
    ) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        found = await self.store.entries(tenant_id, run_id, after_sequence=after_sequence, limit=limit)
        key = None
        if any(map(entry_sealed, found)):
            key = (await self._keys_of((run_id,))).get(run_id)
            if key is None:
                raise _destroyed(run_id)
        return tuple(opened_entry(entry, key) for entry in found)

    @asynccontextmanager
    async def raw_chain(self, tenant_id: str, run_id: str) -> AsyncIterator[RawChain]:
        """See Storage."""
        async with aclosing(self.raw_chains(((tenant_id, run_id),))) as chains:
            async for chain in chains:
                yield chain

    async def raw_chains(self, runs: Sequence[RunOwner]) -> AsyncGenerator[RawChain, None]:
        """See Storage. The keys are read first: an erasure meanwhile never looks like tampering."""
        for start in range(0, len(runs), KEYS_AT_ONCE):
            part = runs[start : start + KEYS_AT_ONCE]
            await self._hold_keys([run_id for _, run_id in part])
            names = iter(part)
            async with aclosing(self.store.raw_chains(part)) as chains:
                async for chain in chains:
                    _, run_id = next(names)
                    yield await self._opened_chain(run_id, chain)

    async def _opened_chain(self, run_id: str, chain: RawChain) -> RawChain:
        run = chain.run
        if run is not None:
            run = opened_run_row(run, await self._key_or_damage(run_id) if run_sealed(run) else None)
        return RawChain(run, self._opened_pages(run_id, chain.pages))

    async def unfinished_runs(self) -> tuple[Run, ...]:
        """See Storage."""
        return await self._opened_runs(await self.store.unfinished_runs())

    async def paused_runs(self, *, after_run_id: str = "", limit: int = 200) -> tuple[Run, ...]:
        """See Storage."""
        return await self._opened_runs(await self.store.paused_runs(after_run_id=after_run_id, limit=limit))

    async def rewrap_keys(self) -> int:
        """Wraps every run's key with the first key, and returns how many it changed; raises as reading does."""
        count, after = 0, ""
        while found := await self.store.payload_keys_not_under(self._keys.ids[0], after, KEYS_AT_ONCE):
            try:
                rewrapped = [self._keys.rewrapped(key, lambda: os.urandom(KEY_BYTES)) for key in found]
            except UnreadableError as error:
                raise damaged(found[0].run_id) from error
            await self.store.replace_payload_keys(rewrapped)
            count, after = count + len(found), found[-1].run_id
        return count

    async def _opened_run(self, run: Run) -> Run:
        return (await self._opened_runs((run,)))[0]

    async def _opened_runs(self, runs: Iterable[Run]) -> tuple[Run, ...]:
        found = tuple(runs)
        keys = await self._keys_of([run.run_id for run in found if run_sealed(run)])
        return tuple(
            _without_key(run) if run_sealed(run) and run.run_id not in keys else opened_run(run, keys.get(run.run_id))
            for run in found
        )

    async def _opened_pages(
        self, run_id: str, pages: AsyncIterator[tuple[EntryRow, ...]]
    ) -> AsyncIterator[tuple[EntryRow, ...]]:
        async for page in pages:
            key = await self._key_or_damage(run_id) if any(map(entry_sealed, page)) else None
            yield tuple(opened_entry_row(row, key) for row in page)

    async def _hold_keys(self, run_ids: Sequence[str]) -> None:
        try:
            await self._unwrapped(run_ids)
        except UnreadableError:
            for run_id in run_ids:
                await self._key_or_damage(run_id)

    async def _key_or_damage(self, run_id: str) -> DataKey | None:
        """The run's key; None also when it was changed: verification then finds that the payloads do not open."""
        try:
            return (await self._unwrapped((run_id,))).get(run_id)
        except UnreadableError:
            return None

    async def _keys_of(self, run_ids: Sequence[str]) -> dict[str, DataKey]:
        try:
            return await self._unwrapped(run_ids) if run_ids else {}
        except UnreadableError as error:
            raise damaged(", ".join(run_ids)) from error

    async def _unwrapped(self, run_ids: Sequence[str]) -> dict[str, DataKey]:
        keys = {run_id: self._held[run_id] for run_id in run_ids if run_id in self._held}
        missing = [run_id for run_id in run_ids if run_id not in keys]
        if missing:
            found = await self.store.payload_keys(missing)
            opened = {run_id: self._keys.open_key(wrapped) for run_id, wrapped in found.items()}
            self._held.update(opened)
            keys |= opened
        for run_id in keys:
            self._held.move_to_end(run_id)
        while len(self._held) > MAX_KEYS_HELD:
            self._held.popitem(last=False)
        return keys


def _destroyed(run_id: str) -> PayloadKeyUnavailableError:
    return PayloadKeyUnavailableError(
        f"the payloads of run {run_id!r} are encrypted, and the ledger no longer has their key: an erasure destroyed it, or "
        "this copy was made without the table payload_keys",
        metadata={"run_id": run_id},
    )


def _without_key(run: Run) -> Run:
    """A run whose key was destroyed, as it can be listed: its texts are replaced by what happened to them."""
    return run._replace(output="", reason=_destroyed(run.run_id).message)
