"""A whole runtime in memory, with fakes outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.approval import Decision
from meshflow_grpc.domain.run import Principal, RunRequest
from meshflow_grpc.governance.detection.scanner import TextScanner
from meshflow_grpc.storage.memory.storage import MemoryStorage
from meshflow_grpc.system import SystemClock
from meshflow_grpc.tools.loading import load_registry
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.kernel.ports import Scanner
    from meshflow_grpc.ports.clock import IdSource
    from meshflow_grpc.ports.dispatch import RunDispatch
    from meshflow_grpc.ports.mesh import MeshAccess
    from meshflow_grpc.ports.tools import ToolCatalog

ALICE = Principal("alice", "acme", method="test")
NO_WAIT = {"circuit_breaker": {"max_retries": 0}}


@dataclass
class World:
    """A runtime and what is around it."""

    runtime: Runtime
    provider: FakeProvider
    storage: MemoryStorage

    async def run(self, task: str = "tides", **fields: object) -> Run:
        """Runs a request of alice to its end."""
        return await self.runtime.commands.run.execute(ALICE, RunRequest(task=task, **fields))  # type: ignore[arg-type]

    async def start(self, task: str = "tides", **fields: object) -> str:
        """Starts a request of alice in the background."""
        request = RunRequest(task=task, **fields)  # type: ignore[arg-type]
        return (await self.runtime.commands.create_run.execute(ALICE, request)).run_id

    async def settled(self, run_id: str) -> Run:
        """The run once it has ended or waits for a human."""
        return await self.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=20)

    async def cancel(self, run_id: str) -> Run:
        """Ends a run."""
        return await self.runtime.commands.cancel_run.execute(ALICE, run_id, reason="enough")

    async def approve(
        self, approval_id: str, decision: Decision = Decision.APPROVE, *, tenant_id: str = "acme"
    ) -> None:
        """Bob approves, or not."""
        bob = Principal("bob", tenant_id, method="test")
        await self.runtime.commands.decide_approval.execute(bob, approval_id, decision=decision, comment="")

    async def entries(self, run_id: str) -> tuple[LedgerEntry, ...]:
        """All entries of a run."""
        return await self.storage.entries("acme", run_id)


SCANNER = TextScanner()


def make_world(
    provider: FakeProvider | None = None,
    storage: MemoryStorage | None = None,
    options: RuntimeOptions | None = None,
    scanner: Scanner = SCANNER,
    ids: IdSource | None = None,
    tools: ToolCatalog | None = None,
    mesh: MeshAccess | None = None,
    dispatch: RunDispatch | None = None,
) -> World:
    """A new runtime; give it another one's storage and ids to play a restart."""
    provider, storage = provider or FakeProvider(), storage or MemoryStorage()
    catalog = load_registry(None) if tools is None else tools
    outside = Outside(storage, provider, SystemClock(), ids or SequentialIds(), scanner, lambda: 0.0, tools=catalog)
    outside = replace(outside, peers=mesh, dispatch=dispatch)
    return World(assemble(outside, options or RuntimeOptions()), provider, storage)


@pytest.fixture
def world() -> World:
    """A fresh runtime."""
    return make_world()
