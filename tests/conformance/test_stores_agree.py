"""Durable stores answer every sequence of commands as the memory store does: same results, same errors, same projections."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from meshflow_grpc.domain.errors import MeshflowError
from meshflow_grpc.domain.ledger_entry import EntryKind, LedgerEntry
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys
from meshflow_grpc.ports.storage import RunChange, RunQuery
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.conformance.drafts import finished, new_run, reserved, started, step, time_of, verified

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from meshflow_grpc.ports.storage import Storage
    from meshflow_grpc.storage.sealed import SealedStorage
    from tests.postgres_cluster import PostgresCluster

RUN_IDS = st.sampled_from(["run_1", "run_2", "run_3", "run_4"])
TENANTS = st.sampled_from(["a", "b"])
SESSIONS = {"run_1": "s", "run_2": "s", "run_3": "t", "run_4": None}
STEPS = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([EntryKind.STEP_INTENT, EntryKind.STEP_COMMITTED])), max_size=3
)
OPEN_STATUS = st.sampled_from([None, RunStatus.RUNNING, RunStatus.PAUSED])
CHANGES = st.none() | st.builds(
    RunChange,
    usage=st.none() | st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    status=OPEN_STATUS,
    output=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    reason=st.none() | st.just("because"),
    blocked_by=st.none() | st.just("budget_check"),
)


def plain(value: object) -> object:
    """Removes what salts make differ: hashes, salts and records."""
    if isinstance(value, MeshflowError):
        return type(value), str(value)
    if isinstance(value, tuple | list) and not isinstance(value, LedgerEntry | Run):
        return [plain(item) for item in value]
    removed = {"hash": "", "prev_hash": "", "head_hash": "", "input_salt": None, "output_salt": None, "record": b""}
    fields = {name: empty for name, empty in removed.items() if hasattr(value, name)}
    if hasattr(value, "entry"):
        return plain([value.run, value.entry, value.created])  # type: ignore[attr-defined]
    if hasattr(value, "next_page_token"):
        return plain([*value.runs, value.next_page_token])  # type: ignore[attr-defined]
    if isinstance(value, LedgerEntry | Run):
        return value._replace(**fields)  # type: ignore[arg-type]
    return replace(value, **fields) if fields else value  # type: ignore[type-var]


class StoresAgree(RuleBasedStateMachine):
    """Runs each command on both stores and compares the answers."""

    cluster: PostgresCluster | None = None
    keys = NO_KEYS

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryStorage()
        self.url = self.cluster.new_database() if self.cluster else str(Path(self.folder.name) / "ledger.db")
        self.durable = self.runner.run(self.opened())

    def opened(self) -> Coroutine[object, object, SealedStorage]:
        """Opens the durable store."""
        return open_storage(self.url, pool_min=1, pool_max=2, payload_keys=self.keys)

    def teardown(self) -> None:
        """Closes both stores."""
        self.runner.run(self.durable.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, command: Callable[[Storage], Coroutine[object, object, object]]) -> None:
        """Compares the answers of both stores to a command."""

        async def answer(storage: Storage) -> object:
            try:
                return await command(storage)
            except MeshflowError as error:
                return error

        expected = plain(self.runner.run(answer(self.memory)))
        assert plain(self.runner.run(answer(self.durable))) == expected

    @rule(
        run_id=RUN_IDS,
        tenant=TENANTS,
        request_id=st.sampled_from([None, "r1", "r2"]),
        fingerprint=st.sampled_from("fg"),
    )
    def create(self, run_id: str, tenant: str, request_id: str | None, fingerprint: str) -> None:
        """Creates a run, perhaps again."""
        run = new_run(run_id, tenant, request_id=request_id, session_id=SESSIONS[run_id])
        self.both(
            lambda storage: storage.create_run(run, started(run_id, tenant)._replace(step_id=tenant), fingerprint)
        )

    @rule(run_id=RUN_IDS, tenant=TENANTS, steps=STEPS, change=CHANGES)
    def append(self, run_id: str, tenant: str, steps: list[tuple[int, EntryKind]], change: RunChange | None) -> None:
        """Appends steps, perhaps none, repeated ones, or of another tenant."""
        drafts = tuple(step(run_id, place, tenant, kind) for place, kind in steps)
        self.both(lambda storage: storage.append(run_id, drafts, change))

    @rule(
        run_id=RUN_IDS, tenant=TENANTS, place=st.integers(1, 6), number=st.integers(1, 9), cost=st.integers(0, 10**12)
    )
    def reserve(self, run_id: str, tenant: str, place: int, number: int, cost: int) -> None:
        """Reserves a step's cost, perhaps again, or after its outcome."""
        draft = reserved(run_id, f"step_{place}", number, cost, tenant_id=tenant)
        self.both(lambda storage: storage.append(run_id, (draft,)))

    @invariant()
    def same_use_of_sessions(self) -> None:
        """Both stores would admit the same steps."""
        for tenant, session in (("a", "s"), ("b", "s"), ("a", "t")):
            self.both(lambda storage, t=tenant, s=session: storage.session_use(t, s))  # type: ignore[misc]

    @rule(run_id=RUN_IDS, tenant=TENANTS)
    def finish(self, run_id: str, tenant: str) -> None:
        """Ends a run."""
        change = RunChange(status=RunStatus.COMPLETED, output="x")
        self.both(lambda storage: storage.append(run_id, (finished(run_id, tenant_id=tenant),), change))

    @rule(run_id=RUN_IDS, tenant=TENANTS)
    def erase(self, run_id: str, tenant: str) -> None:
        """Erases a run, perhaps again, one that goes on, or another tenant's."""
        draft = new_erasure(run_id, tenant, time_of(200), "p-dpo", "gdpr art. 17")
        self.both(lambda storage: storage.erase_payloads(draft))

    @rule(run_id=RUN_IDS, tenant=TENANTS, after=st.integers(0, 5), limit=st.integers(1, 4))
    def read(self, run_id: str, tenant: str, after: int, limit: int) -> None:
        """Reads a run, its entries, and verifies it."""
        self.both(lambda storage: storage.get_run(tenant, run_id))
        self.both(lambda storage: storage.entries(tenant, run_id, after_sequence=after, limit=limit))
        self.both(lambda storage: valid(storage, run_id, tenant))

    @rule(
        query=st.builds(
            RunQuery, TENANTS, st.integers(1, 3), status=st.sampled_from(["", "running", "paused", "completed"])
        )
    )
    def browse(self, query: RunQuery) -> None:
        """Lists runs."""
        self.both(lambda storage: storage.list_runs(query))

    @rule()
    def reopen(self) -> None:
        """Closes and opens the ledger."""
        self.runner.run(self.durable.close())
        self.durable = self.runner.run(self.opened())

    @invariant()
    def same_unfinished_runs(self) -> None:
        """Both stores would recover the same runs."""
        self.both(lambda storage: storage.unfinished_runs())


async def valid(storage: Storage, run_id: str, tenant: str) -> bool:
    """Whether a run's chain is intact."""
    return bool(await verified(storage, run_id, tenant))


def test_sqlite_agrees_with_memory() -> None:
    """Twenty-five random histories."""
    run_state_machine_as_test(StoresAgree, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))


@pytest.mark.postgres
def test_postgres_agrees_with_memory(postgres: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer, since each makes a database."""
    monkeypatch.setattr(StoresAgree, "cluster", postgres)
    run_state_machine_as_test(StoresAgree, settings=settings(max_examples=8, stateful_step_count=25, deadline=None))


def test_an_encrypted_file_agrees_with_plain_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who has the key can tell a difference."""
    monkeypatch.setattr(StoresAgree, "keys", PayloadKeys((b"k" * 32,)))
    run_state_machine_as_test(StoresAgree, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))


@pytest.mark.postgres
def test_an_encrypted_database_agrees_with_plain_memory(
    postgres: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a file."""
    monkeypatch.setattr(StoresAgree, "cluster", postgres)
    monkeypatch.setattr(StoresAgree, "keys", PayloadKeys((b"k" * 32,)))
    run_state_machine_as_test(StoresAgree, settings=settings(max_examples=5, stateful_step_count=25, deadline=None))
