"""Failing models: retries within budget and time, breakers shared by runs, and an end that says why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ports.provider import ModelRequest, ProviderError, ProviderFault
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import NO_WAIT, make_world

if TYPE_CHECKING:
    from meshflow_grpc.governance.detection.finding import ScanResult


def overloaded() -> ProviderError:
    """A failure worth retrying."""
    return ProviderError(ProviderFault.OVERLOADED, "try later", retryable=True)


async def forever(request: ModelRequest) -> str:
    """A model that never answers."""
    await asyncio.Event().wait()
    return request.agent_id


async def test_a_passing_failure_is_retried_in_the_same_step() -> None:
    """One step, two attempts, one committed entry."""
    world = make_world(FakeProvider({"researcher": [overloaded()]}))
    run = await world.run()

    assert run.status is RunStatus.COMPLETED
    assert run.entries == 4
    entries = await world.entries(run.run_id)
    assert entries[1].facts["attempts"] == 2


async def test_a_lasting_failure_ends_the_run_as_failed_and_says_why() -> None:
    """Not blocked: nobody refused it."""
    world = make_world(FakeProvider({"writer": [overloaded()]}))
    run = await world.run(policy=NO_WAIT)

    assert run.status is RunStatus.FAILED
    assert run.blocked_by is None
    assert "try later" in (run.reason or "")
    assert run.output == "researcher done"


async def test_a_failure_not_worth_retrying_is_not_retried() -> None:
    """Authentication does not heal by itself."""
    bad_key = ProviderError(ProviderFault.AUTHENTICATION, "bad key", retryable=False)
    world = make_world(FakeProvider({"researcher": [bad_key]}))
    run = await world.run()

    assert run.status is RunStatus.FAILED
    assert len(world.provider.requests) == 1


async def test_a_step_timeout_ends_an_attempt_and_counts_its_worst_case() -> None:
    """The provider may have billed what it never delivered."""
    world = make_world(FakeProvider({"researcher": [forever]}))
    run = await world.run(policy={"step_timeout_s": 0.01, **NO_WAIT})

    assert run.status is RunStatus.FAILED
    assert "no answer within" in (run.reason or "")
    assert run.usage.cost_nano_usd > 0


async def test_a_run_out_of_time_is_blocked_by_its_time_budget() -> None:
    """timeout_s bounds the run as a whole and interrupts the step."""
    world = make_world(FakeProvider({"writer": [forever]}))
    run = await world.run(policy={"timeout_s": 0.05})

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "budget_check")
    assert "timeout_s" in (run.reason or "")
    assert run.output == "researcher done"


async def test_an_open_breaker_stops_other_runs_too() -> None:
    """Failures of an agent are shared by all runs of the process."""
    world = make_world(FakeProvider({"researcher": [overloaded(), overloaded()]}))
    policy = {"circuit_breaker": {"max_retries": 0, "failure_threshold": 2}}
    for _ in range(2):
        await world.run(policy=policy)
    run = await world.run(policy=policy)

    assert run.status is RunStatus.FAILED
    assert "circuit breaker" in (run.reason or "")
    assert len(world.provider.requests) == 2


async def test_a_stage_that_raises_denies_the_step() -> None:
    """Fail closed: a defect in the scanner releases nothing."""

    class BrokenScanner:
        """Raises whatever it is given."""

        def scan_input(self, text: str) -> ScanResult:
            """Raises."""
            raise RuntimeError(text)

        scan_output = scan_input

    world = make_world(scanner=BrokenScanner())
    run = await world.run()

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "input_guardrails")
    assert world.provider.requests == []
