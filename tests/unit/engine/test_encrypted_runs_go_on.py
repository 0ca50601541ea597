"""Runs of an encrypted ledger wait, go on after a restart, fork, and are exported, as others do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc import ReplayLedger
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.commands.compliance_report import compliance_report
from meshflow_grpc.domain.errors import PayloadKeyUnavailableError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.governance.run_evidence import Finding
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.system import SystemClock, Uuid7Ids
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import ALICE, SCANNER, World
from tests.unit.engine.gated import GATE, asked, decide, ended, paused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEYS = PayloadKeys((b"k" * 32,))


@asynccontextmanager
async def living(path: Path, keys: PayloadKeys = KEYS) -> AsyncIterator[World]:
    """A server's life on the ledger."""
    storage, provider = await open_storage(str(path), payload_keys=keys), FakeProvider()
    outside = Outside(storage, provider, SystemClock(), Uuid7Ids(), SCANNER, lambda: 0.0)
    runtime = assemble(outside, RuntimeOptions(production=True, payloads_encrypted=bool(keys)))
    try:
        await runtime.engine.recover()
        yield World(runtime, provider, storage)  # type: ignore[arg-type]  # any store
        await runtime.engine.drain(5)
    finally:
        await storage.close()


async def test_a_gate_survives_a_restart(tmp_path: Path) -> None:
    """The step that waited, its input and the decision's comment come out of the ciphertext."""
    path = tmp_path / "ledger.db"
    async with living(path) as world:
        run = await paused(world, GATE, {})
    async with living(path) as world:
        await decide(world, asked(run), "approve", comment="the thoroughfare is clear")
        done = await ended(world, run.run_id)
        assert done.status is RunStatus.COMPLETED
        assert "the thoroughfare is clear" in world.provider.requests[-1].prompt
    assert b"thoroughfare" not in path.read_bytes()
    assert await ReplayLedger(str(path), tenant_id="acme", payload_keys=KEYS).verify_chain(run.run_id)


async def test_a_server_without_the_key_does_not_start_on_an_open_run(tmp_path: Path) -> None:
    """It could neither go on with it nor say what it holds."""
    path = tmp_path / "ledger.db"
    async with living(path) as world:
        await paused(world, GATE, {})
    async with living(path, NO_KEYS) as world:
        with pytest.raises(PayloadKeyUnavailableError):
            await world.runtime.expiry.expire()


async def test_a_fork_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Its parent's erasure leaves it readable; nodes are compared before, exports are in the clear for who has the key."""
    path = tmp_path / "ledger.db"
    async with living(path) as world:
        parent = await world.run()
    ledger = ReplayLedger(str(path), tenant_id="acme", payload_keys=KEYS)
    forked = await ledger.fork(parent.run_id, from_step=1)
    async with living(path) as world:
        assert (await ended(world, forked)).status is RunStatus.COMPLETED
    assert (await ledger.diff(parent.run_id, forked)).only_in_a == ["researcher"]
    assert await ledger.anonymize_run(parent.run_id) > 0
    assert "tides" in await ledger.export_run(forked)
    assert "mfenc" not in await ledger.export_run(forked)
    assert await ledger.verify_chain(forked)
    assert await ledger.verify_chain(parent.run_id)


async def test_hipaa_s_encryption_is_evidenced(tmp_path: Path) -> None:
    """In production with a key the run completes, and the report says so from the ledger alone."""
    path = tmp_path / "ledger.db"
    async with living(path) as world:
        run = await world.run(policy={"compliance": ("hipaa",)})
        assert run.status is RunStatus.COMPLETED, run.reason
        report = await compliance_report(world.storage, "acme", run.run_id, ("hipaa",), (), now=SystemClock().now())
    held = {result.control.id for result in report.results if result.finding is Finding.PASS}
    assert "hipaa.encryption" in held


async def test_an_evidence_bundle_is_readable_without_the_key(tmp_path: Path) -> None:
    """Its payloads are what was written, its README says that it is not encrypted."""
    path = tmp_path / "ledger.db"
    async with living(path) as world:
        run = await world.run()
        await world.runtime.log.open()
        await world.runtime.log.publish()
        exported = await world.runtime.commands.export_run.execute(ALICE, run.run_id, export_format="evidence")
    bundle = exported.data
    assert b"tides" in bundle
    assert b"mfenc" not in bundle
    assert b"never encrypted" in bundle
