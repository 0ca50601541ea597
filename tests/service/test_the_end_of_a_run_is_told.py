"""A webhook of a run: signed, tried again, told once per end, and never forgotten or sent where it must not go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.errors import InvalidRequestError, RequestIdReusedError
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.engine import run_webhooks
from meshflow_grpc.engine.run_webhooks import later
from meshflow_grpc.ports.webhooks import RefusedTargetError, UnreachableTargetError
from meshflow_grpc.providers.signed_post import SignedPost, signature
from meshflow_grpc.rpc.convert.run_request import parse_run_request
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.clock import FakeClock
from tests.fakes.providers import FakeProvider
from tests.service.webhook_receiver import receiving

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run

SECRET = "0123456789abcdef"
ALICE = Principal("alice", "acme", method="test")
HOOK = "https://example.com/hook"


@dataclass
class ScriptedSender:
    """Answers with statuses or raises; says where it was asked to post."""

    script: list[int | Exception]
    posted: list[str] = field(default_factory=list)

    async def post(self, url: str, body: bytes, delivery_id: str) -> int:
        """Takes the next line."""
        del url, body
        self.posted.append(delivery_id)
        line = self.script.pop(0)
        if isinstance(line, Exception):
            raise line
        return line


def runtime_with(
    sender: ScriptedSender | SignedPost, clock: FakeClock | None = None, storage: MemoryStorage | None = None
) -> Runtime:
    """A runtime that may send."""
    outside = Outside(storage or MemoryStorage(), FakeProvider(), clock or FakeClock(), sender=sender)
    return assemble(outside, RuntimeOptions(allow_webhooks=True))


async def run(runtime: Runtime, **fields: object) -> Run:
    """A run of alice with a webhook."""
    request = RunRequest(**{"task": "tides", "webhook": HOOK, **fields})  # type: ignore[arg-type]
    return await runtime.commands.run.execute(ALICE, request)


async def send(runtime: Runtime) -> None:
    """Sends what is due, to the end."""
    assert runtime.webhooks is not None
    await asyncio.gather(*await runtime.webhooks.send_due())


async def test_a_real_receiver_is_told_and_can_check_who_told_it() -> None:
    """The signature covers time and body; the body names the run's head and holds nothing of its texts."""
    async with receiving(503, 204) as receiver:
        sender = SignedPost(SECRET, trust_all=True)
        clock = FakeClock()
        runtime = runtime_with(sender, clock)
        ended = await run(runtime, webhook=receiver.url)
        await send(runtime)
        clock.advance(1.0)
        await send(runtime)
        await sender.close()

    first, second = receiver.seen
    assert first.body == second.body
    assert second.headers["x-meshflow-delivery"] == second.document["delivery_id"] == f"{ended.run_id}.finished"
    assert second.headers["x-meshflow-signature"] == (
        "sha256=" + signature(SECRET, second.headers["x-meshflow-timestamp"], second.body)
    )
    assert second.document["ledger_head"] == {"sequence": ended.entries, "hash": ended.head_hash}
    assert second.document["status"] == "completed"
    assert b"tides" not in second.body
    assert ended.output.encode() not in second.body


async def test_pauses_grow_and_end() -> None:
    """Nothing is sent before its time; after the last try it is forgotten."""
    sender, clock = ScriptedSender([UnreachableTargetError("ConnectError")] * run_webhooks.ATTEMPTS), FakeClock()
    storage = MemoryStorage()
    runtime = runtime_with(sender, clock, storage)
    await run(runtime)
    pauses = [min(3600.0, 2.0**n) for n in range(run_webhooks.ATTEMPTS)]
    for tries, pause in enumerate(pauses, start=1):
        await send(runtime)
        assert len(sender.posted) == tries
        clock.advance(pause - 0.5)
        await send(runtime)
        assert len(sender.posted) == tries
        clock.advance(0.5)

    assert storage._webhooks == {}
    assert len(set(sender.posted)) == 1


@pytest.mark.parametrize("line", [200, 410, RefusedTargetError("private")])
async def test_some_answers_end_it_at_once(line: int | Exception) -> None:
    """Taken, gone for good, or never to be called."""
    sender, storage = ScriptedSender([line]), MemoryStorage()
    runtime = runtime_with(sender, storage=storage)
    await run(runtime)
    await send(runtime)
    assert (len(sender.posted), storage._webhooks) == (1, {})


@pytest.mark.parametrize("policy", [{"budget_usd": 0.0}, {"timeout_s": 0.001}])
async def test_every_end_is_told(policy: dict[str, object]) -> None:
    """Not only a good one."""
    sender = ScriptedSender([200])
    runtime = runtime_with(sender)
    ended = await run(runtime, policy=policy)
    await send(runtime)
    assert ended.status is not RunStatus.COMPLETED or policy == {"timeout_s": 0.001}
    assert sender.posted == [f"{ended.run_id}.finished"]


async def test_whoever_died_while_sending_gives_it_up_to_the_next_server() -> None:
    """A minute later; not before, because it may still be at it."""
    storage, clock = MemoryStorage(), FakeClock()
    runtime = runtime_with(ScriptedSender([]), clock, storage)
    ended = await run(runtime)
    now = clock.now()
    assert len(await storage.take_webhooks(now, later(now, run_webhooks.LEASE_S), now, 10)) == 1
    sender = ScriptedSender([200])
    other = runtime_with(sender, clock, storage)

    await send(other)
    assert sender.posted == []
    clock.advance(run_webhooks.LEASE_S)
    await send(other)
    assert sender.posted == [f"{ended.run_id}.finished"]


async def test_the_same_request_is_told_once_and_another_webhook_is_another_request() -> None:
    """The delivery of a run that was not made is dropped."""
    storage, sender, clock = MemoryStorage(), ScriptedSender([200]), FakeClock()
    runtime = runtime_with(sender, clock, storage)
    first = await run(runtime, request_id="r")
    assert (await run(runtime, request_id="r")).run_id == first.run_id
    with pytest.raises(RequestIdReusedError):
        await run(runtime, request_id="r", webhook=HOOK + "2")

    await send(runtime)
    clock.advance(2 * run_webhooks.ORPHANED_AFTER_S)
    await send(runtime)
    assert sender.posted == [f"{first.run_id}.finished"]
    assert storage._webhooks == {}


async def test_an_erasure_drops_what_is_owed() -> None:
    """The address may name somebody."""
    storage, sender = MemoryStorage(), ScriptedSender([])
    runtime = runtime_with(sender, storage=storage)
    ended = await run(runtime)
    await runtime.commands.erase_run.execute(ALICE, ended.run_id, basis="gdpr art. 17")
    await send(runtime)
    assert (sender.posted, storage._webhooks) == ([], {})


async def test_a_server_that_cannot_sign_refuses_and_production_wants_https() -> None:
    """Nothing is recorded then."""
    storage = MemoryStorage()
    silent = assemble(Outside(storage, FakeProvider()), RuntimeOptions())
    with pytest.raises(InvalidRequestError, match="webhook: this server signs no webhooks"):
        await run(silent)
    options = RuntimeOptions(allow_webhooks=True, production=True)
    strict = assemble(Outside(storage, FakeProvider(), sender=ScriptedSender([])), options)
    with pytest.raises(InvalidRequestError, match="webhook: must be https in production"):
        await run(strict, webhook="http://example.com/")
    assert storage._webhooks == {}


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "ftp://example.com/",
        "https://",
        "https://u:p@example.com/",
        "https://a b/",
        "https://a:0/",
        "https://a:99999/",
        "https://a/\n",
        "https://[::1/",
        "https://a/" + "x" * 2000,
        " ",
        "https://a/\x00",
    ],
)
def test_what_is_no_address_to_call_is_refused_by_name(url: str) -> None:
    """Before anything starts."""
    with pytest.raises(InvalidRequestError) as refusal:
        parse_run_request({"task": "t", "webhook": url})
    assert [violation.field for violation in refusal.value.violations] == ["webhook"]
