"""The server on Anthropic's real SDK, against a local server that speaks the Messages API."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from meshflow_grpc.client import AsyncClient
from tests.e2e.conftest import MeshflowServer, StartServer
from tests.service.anthropic_stand_in import AnthropicStandIn, Reply, anthropic_stand_in, failure, text_block

KEY = "test-key-of-nobody"


async def started(start_server: StartServer, tmp_path: Path, stand_in: AnthropicStandIn) -> MeshflowServer:
    """A server that calls the stand-in."""
    environment = {"MESHFLOW_MOCK": "", "ANTHROPIC_API_KEY": KEY, "MESHFLOW_ANTHROPIC_BASE_URL": stand_in.base_url}
    return await asyncio.to_thread(start_server, tmp_path, "--no-envoy", "--grpc-port", "0", **environment)


def address(server: MeshflowServer) -> str:
    """host:port of the gRPC server."""
    return server.url.split(" ")[0]


@pytest.mark.slow
async def test_both_agents_call_the_model_and_are_charged_what_it_says(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Texts, tokens and prices end up in the run and in its verified ledger."""
    async with anthropic_stand_in() as stand_in:
        server = await started(start_server, tmp_path, stand_in)
        stand_in.answer_with(Reply((text_block("Findings."),)), Reply((text_block("The tides come from the moon."),)))
        async with AsyncClient(address(server)) as client:
            run = await client.run("why are there tides?")
            verified = await client.verify_run(run.run_id)

    assert (run.status, run.output) == ("completed", "The tides come from the moon.")
    assert run.total_cost_usd > 0
    assert verified.valid
    assert "Findings." in str(stand_in.exchanges[1].body["messages"])
    assert all(exchange.body["stream"] for exchange in stand_in.exchanges)


@pytest.mark.slow
async def test_an_overloaded_model_is_retried_and_a_refused_key_ends_the_run(
    start_server: StartServer, tmp_path: Path
) -> None:
    """The run says why, and no word of the key."""
    async with anthropic_stand_in() as stand_in:
        server = await started(start_server, tmp_path, stand_in)
        stand_in.answer_with(failure(529, "overloaded_error"), Reply(), failure(401, "authentication_error"))
        async with AsyncClient(address(server)) as client:
            run = await client.run("why are there tides?")

    assert run.status == "failed"
    assert "authentication" in run.status_reason
    assert len(stand_in.exchanges) == 3
    assert KEY not in str(run)
    assert KEY not in str(server.log)


@pytest.mark.slow
async def test_cancelling_reaches_the_model_call(start_server: StartServer, tmp_path: Path) -> None:
    """The connection to the provider, which would never answer, is closed."""
    async with anthropic_stand_in() as stand_in:
        server = await started(start_server, tmp_path, stand_in)
        stand_in.answer_with(Reply(silent=True))
        async with AsyncClient(address(server)) as client:
            run = await client.create_run("why are there tides?")
            exchange = await stand_in.next_exchange()
            cancelled = await client.cancel_run(run.run_id, reason="enough")
            async with asyncio.timeout(60):
                await exchange.client_gone.wait()

    assert cancelled.status == "cancelled"
