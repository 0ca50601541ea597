"""Two hundred branches at once, with attempts that fail and are billed all the same, never use more than the run's budget."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.usage import nano_usd
from meshflow_grpc.engine.recovery import usage_of
from meshflow_grpc.ports.provider import ModelReply, ModelRequest, ProviderError, ProviderFault
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import make_world

if TYPE_CHECKING:
    from collections.abc import Callable

BRANCHES = 200
MAX_OUTPUT = 10
NODES = "\n".join(f"  b{n}: {{kind: agent, max_output_tokens: {MAX_OUTPUT}}}" for n in range(BRANCHES))
EDGES = "\n".join(f"  - START -> b{n}" for n in range(BRANCHES))
WORKFLOW = f"name: wide\nnodes:\n{NODES}\nedges:\n{EDGES}\n"


class BillingProvider(FakeProvider):
    """Bills every call its worst case when it starts; every third agent's first attempt breaks after it was billed."""

    def __init__(self) -> None:
        super().__init__()
        self.billed = 0

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """Answers with as many tokens as were asked for at most."""
        del on_delta
        self.requests.append(request)
        tokens_in = self.max_input_tokens(request.system) + self.max_input_tokens(request.prompt)
        self.billed += 1_000 * tokens_in + 2_000 * request.max_output_tokens
        await asyncio.sleep(0)
        if request.attempt == 1 and int(request.agent_id[1:]) % 3 == 0:
            raise ProviderError(ProviderFault.FAILED, "broken answer", retryable=True)
        return ModelReply("ok", request.model, input_tokens=tokens_in, output_tokens=request.max_output_tokens)


async def bill_of_all() -> int:
    """What all branches and their retries cost when nothing limits them."""
    world = make_world(BillingProvider())
    run = await world.run(workflow_yaml=WORKFLOW, policy={"budget_usd": 100.0, "max_steps": BRANCHES})
    assert run.status is RunStatus.COMPLETED
    provider = world.provider
    assert isinstance(provider, BillingProvider)
    assert len(provider.requests) == BRANCHES + len(range(0, BRANCHES, 3))
    assert run.usage.cost_nano_usd == provider.billed
    return provider.billed


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.75, 0.9, 0.999])
async def test_what_is_billed_stays_within_the_budget(share: float) -> None:
    """A run blocked by its budget was never billed more than that, and its ledger says what it was billed."""
    budget = await bill_of_all() * share / 1e9
    provider = BillingProvider()
    world = make_world(provider)

    run = await world.run(workflow_yaml=WORKFLOW, policy={"budget_usd": budget, "max_steps": BRANCHES})

    assert run.status in {RunStatus.BLOCKED, RunStatus.FAILED}
    assert provider.billed <= nano_usd(budget)
    assert run.usage.cost_nano_usd <= nano_usd(budget)
    steps = {EntryKind.STEP_COMMITTED, EntryKind.STEP_DENIED, EntryKind.STEP_FAILED, EntryKind.STEP_CANCELLED}
    recorded = sum(usage_of(e).cost_nano_usd for e in await world.entries(run.run_id) if e.kind in steps)
    assert recorded == run.usage.cost_nano_usd


async def test_a_budget_for_exactly_all_of_it_is_enough() -> None:
    """No branch is refused for what another one only reserved: what is needed in all suffices."""
    exact = await bill_of_all()
    world = make_world(BillingProvider())

    run = await world.run(workflow_yaml=WORKFLOW, policy={"budget_usd": exact / 1e9, "max_steps": BRANCHES})

    assert (run.status, run.usage.cost_nano_usd) == (RunStatus.COMPLETED, exact)
