"""http nodes against a real HTTP server: what is sent, what comes back, and everything that is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.errors import InvalidWorkflowError
from meshflow_grpc.domain.ledger_entry import EntryKind, LedgerEntry
from meshflow_grpc.domain.run import Principal, Run, RunRequest
from meshflow_grpc.domain.tool import ToolContext, ToolError
from meshflow_grpc.providers.http_caller import MAX_RESPONSE_BYTES, AllowedHttp
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import SCANNER

ANA = Principal("ana", "acme", method="test")
CONTEXT = ToolContext("run_1", "acme", "a#1", 1, "run_1/a#1", lambda: False)


@dataclass
class Site:
    """An HTTP/1.1 server that answers as told and keeps what it was sent."""

    answers: list[bytes] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.seen.append((first, headers, body))
        writer.write(self.answers.pop(0) if self.answers else answer(200, b"fine", "text/plain"))
        await writer.drain()
        writer.close()

    @property
    def url(self) -> str:
        """Its address by name, so that the name has to be resolved."""
        return f"http://localhost:{self.port}"


def answer(status: int, body: bytes, kind: str = "application/json", extra: str = "") -> bytes:
    """A response."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{extra}\r\n"
    return head.encode() + body


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server on a free port."""
    made = Site()
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def local(host: str, port: int) -> list[str]:
    """Resolves everything to this machine."""
    del host, port
    return ["127.0.0.1"]


def allowed(*hosts: str) -> AllowedHttp:
    """A caller for trials, which may reach this machine."""
    return AllowedHttp(frozenset(hosts or ("localhost",)), trust_all=True, resolve=local)


async def run(node: str, http: AllowedHttp | None = None, **fields: object) -> tuple[Run, list[LedgerEntry]]:
    """A run of an agent and an http node after it."""
    text = f"name: w\nentry: a\nnodes:\n  a: {{}}\n  call: {{kind: http, {node}}}\nedges: [a -> call]\n"
    provider = FakeProvider({"a": ['{"topic": "tides"}']})
    outside = Outside(MemoryStorage(), provider, scanner=SCANNER, jitter=lambda: 0.0, http=http or allowed())
    runtime = assemble(outside, RuntimeOptions())
    done = await runtime.commands.run.execute(ANA, RunRequest(task="t", workflow_yaml=text, **fields))  # type: ignore[arg-type]
    return done, list(await runtime.storage.entries("acme", done.run_id))


async def test_a_request_is_sent_as_written_and_its_answer_is_structured(site: Site) -> None:
    """References in the body, headers, the idempotency key; a JSON answer is JSON, and tainted."""
    site.answers = [answer(201, b'{"id": 7}')]
    done, entries = await run(
        f"url: '{site.url}/items?x=1', method: POST, headers: {{x-team: blue}}, body: {{topic: '${{a.topic}}', task: '${{task}}'}}"
    )

    assert (done.status.value, json.loads(done.output)) == ("completed", {"status": 201, "body": {"id": 7}})
    ((first, headers, body),) = site.seen
    assert (first, json.loads(body)) == ("POST /items?x=1 HTTP/1.1", {"topic": "tides", "task": "t"})
    assert (headers["host"], headers["x-team"]) == (f"localhost:{site.port}", "blue")
    assert headers["idempotency-key"] == f"{done.run_id}/call#1"
    intent, committed = (e for e in entries if e.node_id == "call")
    assert (intent.kind, intent.facts["risk"]) == (EntryKind.STEP_INTENT, "external_io")
    assert {"untrusted", "external"} <= set(committed.facts["labels"])  # type: ignore[arg-type]
    assert committed.facts["tool"] == "http"


async def test_risk_comes_from_the_method_and_policy_holds(site: Site) -> None:
    """DELETE is irreversible and waits for a human; a policy can forbid http."""
    human = {"enabled": True}
    waits, _ = await run(f"url: '{site.url}/', method: DELETE", policy={"human_in_loop": human})
    denied, _ = await run(f"url: '{site.url}/'", policy={"denied_tools": ("http",)})

    assert (waits.status.value, denied.status.value, denied.blocked_by) == ("paused", "blocked", "tool_permission")
    assert site.seen == []


async def test_only_reads_are_sent_again(site: Site) -> None:
    """A GET that met a busy server is retried; a POST is not."""
    busy = answer(503, b"", "text/plain")
    site.answers = [busy, answer(200, b"at last", "text/plain")]
    got, _ = await run(f"url: '{site.url}/', max_retries: 1")
    site.answers = [busy]
    posted, _ = await run(f"url: '{site.url}/', method: POST, max_retries: 1")

    assert json.loads(got.output) == {"status": 200, "body": "at last"}
    assert (posted.status.value, len(site.seen)) == ("failed", 3)
    assert "HTTP 503" in (posted.reason or "")


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (answer(302, b"", "text/plain", "location: http://169.254.169.254/\r\n"), "a redirect, which is not followed"),
        (answer(200, b"x" * (MAX_RESPONSE_BYTES + 1), "text/plain"), "larger than"),
        (answer(200, b"{no"), "says it is JSON and is not"),
        (b"nonsense\r\n\r\n", "the request failed"),
    ],
)
async def test_answers_out_of_bounds_fail_the_step(site: Site, response: bytes, problem: str) -> None:
    """Each says why."""
    site.answers = [response]
    with pytest.raises(ToolError, match=problem):
        await allowed().call({"method": "GET", "url": f"{site.url}/"}, CONTEXT)


@pytest.mark.parametrize(
    ("node", "problem"),
    [
        ("url: 'https://evil.example/'", "url: the host 'evil.example' is not one this server may call"),
        ("url: 'https://localhost.evil.example/'", "is not one this server may call"),
        ("url: 'https://localhost@evil.example/'", "is not one this server may call"),
        ("url: 'https://localhost/${a}'", "refers to nothing"),
        ("url: 'https://localhost/', headers: {Authorization: x}", "a secret, which does not belong in a definition"),
        ("url: 'https://localhost/', headers: {x: \"a\\r\\nb: c\"}", "must be a header's name and text"),
        ("url: 'https://localhost/', headers: {'a b': c}", "must be a header's name and text"),
        (
            "url: 'https://localhost/', body: '${later}'",
            "${later} must name task, or a node from which edges lead here",
        ),
    ],
)
async def test_what_may_not_be_called_is_refused_at_admission(node: str, problem: str) -> None:
    """Before anything runs, by field."""
    with pytest.raises(InvalidWorkflowError) as caught:
        await run(node)
    assert problem in caught.value.message
    assert "workflow.nodes.call." in caught.value.message


async def test_without_hosts_nothing_is_called() -> None:
    """The setting is named."""
    with pytest.raises(InvalidWorkflowError, match="MESHFLOW_HTTP_HOSTS"):
        await run("url: 'https://localhost/'", AllowedHttp(frozenset(), trust_all=True))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1"])
async def test_an_allowed_name_must_lead_to_a_public_address(address: str) -> None:
    """Whatever the name server says, a server in production does not call into its own network."""

    async def inside(host: str, port: int) -> list[str]:
        del host, port
        return ["93.184.216.34", address]

    caller = AllowedHttp(frozenset({"api.example.com"}), trust_all=False, resolve=inside)
    with pytest.raises(ToolError, match="not a public one"):
        await caller.call({"method": "GET", "url": "https://api.example.com/"}, CONTEXT)
    with pytest.raises(ToolError, match="is not https"):
        await caller.call({"method": "GET", "url": "http://api.example.com/"}, CONTEXT)


def test_hosts_are_names_or_all_below_one() -> None:
    """A pattern covers what is below a name, not the name itself nor others that end like it."""
    caller = AllowedHttp(frozenset({"api.example.com", "*.example.org"}), trust_all=False)

    allowed_urls = ["https://api.example.com/x", "https://API.EXAMPLE.com/", "https://a.b.example.org:8443/"]
    refused = ["https://example.com/", "https://example.org/", "https://badexample.org/", "https://x.api.example.com/"]
    assert [caller.refusal(url) for url in allowed_urls] == [None] * 3
    assert all(caller.refusal(url) for url in refused)
