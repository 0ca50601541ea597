"""enable_uncertainty: an output its own agent thinks more likely wrong than right is not released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.kernel.stages.output_guardrails import CONFIDENCE_FLOOR
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import make_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.ports.provider import ModelReply, ModelRequest


class StatingProvider(FakeProvider):
    """A provider whose agents state one confidence."""

    def __init__(self, confidence: float | None) -> None:
        super().__init__()
        self._confidence = confidence

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """The usual reply with that confidence."""
        return (await super().complete(request, on_delta))._replace(confidence=self._confidence)


async def test_a_doubted_output_is_denied_and_recorded() -> None:
    """Stage, reason, the number and the cost are in the ledger; the output is not."""
    world = make_world(StatingProvider(CONFIDENCE_FLOOR - 0.01))
    run = await world.run(policy={"enable_uncertainty": True})

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "output_guardrails")
    assert not run.output
    assert "confidence of 0.49" in (run.reason or "")
    (denied,) = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.STEP_DENIED]
    assert denied.facts["reason"] == "CONFIDENCE_TOO_LOW"
    assert denied.facts["confidence_ppm"] == 490_000
    assert run.usage.cost_nano_usd > 0


@pytest.mark.parametrize(("confidence", "enabled"), [(CONFIDENCE_FLOOR, True), (None, True), (0.1, False)])
async def test_other_outputs_pass(confidence: float | None, enabled: bool) -> None:
    """At the floor, without a stated confidence, and when the policy does not ask."""
    run = await make_world(StatingProvider(confidence)).run(policy={"enable_uncertainty": enabled})

    assert run.status is RunStatus.COMPLETED
