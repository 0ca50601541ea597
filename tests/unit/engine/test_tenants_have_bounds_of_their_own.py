"""One tenant that floods a server is refused with a time to retry; the others are served."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.errors import AdmissionLimitError, RateLimitedError
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.engine.active_runs import ActiveRuns, RunLimits
from meshflow_grpc.engine.server_state import ServerState
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.clock import FakeClock
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, Run

BOB = replace(ALICE, tenant_id="umbrella")


def runtime_with(options: RuntimeOptions, provider: FakeProvider, clock: FakeClock | None = None) -> Runtime:
    """A runtime with these bounds."""
    return assemble(Outside(MemoryStorage(), provider, clock or FakeClock()), options)


async def run(runtime: Runtime, caller: Principal) -> Run:
    """One run to its end."""
    return await runtime.commands.run.execute(caller, RunRequest(task="tides"))


async def test_runs_at_once_of_one_tenant_are_bounded() -> None:
    """The refusal names limit and setting; an ended run makes room."""
    lines = [gate() for _ in range(2)]
    provider = FakeProvider({"researcher": [line for line, _, _ in lines]})
    runtime = runtime_with(RuntimeOptions(tenant_in_flight=2), provider)
    going = [asyncio.create_task(run(runtime, ALICE)) for _ in range(2)]
    for _, started, _ in lines:
        await started.wait()

    with pytest.raises(AdmissionLimitError, match="MESHFLOW_TENANT_MAX_IN_FLIGHT_RUNS") as refused:
        await run(runtime, ALICE)
    assert (refused.value.metadata["limit"], refused.value.retry_after_s) == ("2", 1.0)
    assert (await run(runtime, BOB)).status is RunStatus.COMPLETED

    for _, _, release in lines:
        release.set()
    await asyncio.gather(*going)
    assert (await run(runtime, ALICE)).status is RunStatus.COMPLETED


async def test_starts_a_second_of_one_tenant_are_bounded() -> None:
    """As many at once as a second allows, then as the rate says; the refusal says when."""
    clock = FakeClock()
    runtime = runtime_with(RuntimeOptions(tenant_starts_per_s=2.0), FakeProvider(), clock)
    await run(runtime, ALICE)
    await run(runtime, ALICE)

    with pytest.raises(RateLimitedError, match="MESHFLOW_TENANT_RUNS_PER_S") as refused:
        await run(runtime, ALICE)
    assert refused.value.retry_after_s == pytest.approx(0.5)
    await run(runtime, BOB)
    clock.advance(0.5)
    await run(runtime, ALICE)


async def test_what_is_removed_is_counted_once() -> None:
    """Also when a run was taken up again under its id, and whatever is removed twice."""
    runs = ActiveRuns(RunLimits(tenant_in_flight=1), ServerState("1", FakeClock()), FakeClock())
    first = runs.add("run_1", "acme")
    again = runs.add("run_1", "acme")
    runs.remove(first)
    assert (len(runs), runs.get("run_1")) == (1, again)
    with pytest.raises(AdmissionLimitError):
        runs.check_room("acme")

    runs.remove(again)
    runs.remove(again)

    runs.check_room("acme")
    assert len(runs) == 0
    assert runs._of_tenant == {}
