"""What every call carries beside its request, and what it raises."""

from __future__ import annotations

import gc
import inspect
from typing import TYPE_CHECKING

import grpc
import pytest

from meshflow_grpc.client import AsyncClient, Client, Connection, MeshflowCallError
from meshflow_grpc.client.messages import GetHealthResponse, RunEvent, RunResponse, VerifyRunResponse
from tests.unit.client.fake_server import Refusal

if TYPE_CHECKING:
    from tests.unit.client.fake_server import FakeServer

RUN = RunResponse(run_id="run_1", status="completed", output="done")


async def test_a_retried_run_keeps_its_request_id(server: FakeServer) -> None:
    """UNAVAILABLE is retried with the same fresh request id, so the task runs once."""
    server.answers("CreateRun", Refusal(grpc.StatusCode.UNAVAILABLE), RUN)

    async with AsyncClient(server.address) as client:
        assert (await client.create_run("a task")).run_id == "run_1"

    first, second = server.requests("CreateRun")
    assert first.request_id == second.request_id != ""


async def test_a_large_request_is_retried_like_a_small_one(server: FakeServer) -> None:
    """Three megabytes are kept for the retry."""
    server.answers("CreateRun", Refusal(grpc.StatusCode.UNAVAILABLE), RUN)
    task = "x" * 3_000_000

    async with AsyncClient(server.address) as client:
        await client.create_run(task)

    assert [request.task for request in server.requests("CreateRun")] == [task, task]


async def test_a_fork_is_never_retried(server: FakeServer) -> None:
    """Without a request id a second try could start a second run."""
    server.answers("ForkRun", Refusal(grpc.StatusCode.UNAVAILABLE), RUN)

    async with AsyncClient(server.address) as client:
        with pytest.raises(MeshflowCallError):
            await client.fork_run("run_1", before_node="writer")

    assert len(server.requests("ForkRun")) == 1


async def test_a_request_id_of_the_caller_is_kept(server: FakeServer) -> None:
    """A named request id goes out as given, and two calls without one get different ids."""
    server.answers("Run", RUN)

    async with AsyncClient(server.address) as client:
        await client.run("a task", request_id="mine")
        await client.run("a task")
        await client.run("a task")

    ids = [request.request_id for request in server.requests("Run")]
    assert ids[0] == "mine"
    assert len(set(ids)) == 3


async def test_a_check_carries_no_request_id(server: FakeServer) -> None:
    """A pre-flight starts nothing and needs no idempotency key."""
    server.answers("CheckRun", RUN)

    async with AsyncClient(server.address) as client:
        await client.check_run("a task")

    assert not server.requests("CheckRun")[0].HasField("request_id")


async def test_every_call_carries_the_token(server: FakeServer) -> None:
    """The token is sent as a bearer credential and never shown by repr."""
    server.answers("GetHealth", GetHealthResponse(ok=True))
    connection = Connection(server.address, token="secret-token")

    async with AsyncClient(connection) as client:
        assert (await client.health()).ok

    assert server.calls[0].metadata["authorization"] == "Bearer secret-token"
    assert "secret-token" not in repr(connection)


async def test_look_ups_have_a_deadline_and_runs_only_the_callers(server: FakeServer) -> None:
    """A look-up is bounded by the connection's timeout, a wait by its own on top, a run by what the caller says."""
    for method in ("GetRun", "WaitRun", "Run"):
        server.answers(method, RUN)

    async with AsyncClient(Connection(server.address, timeout_s=1000)) as client:
        await client.get_run("run_1")
        await client.wait_run("run_1", timeout_s=10_000)
        await client.run("a task", timeout_s=5000)

    remaining = [call.time_remaining_s for call in server.calls]
    for actual, expected in zip(remaining, (1000, 11_000, 5000), strict=True):
        assert actual == pytest.approx(expected, abs=100)


async def test_an_error_brings_reason_violations_and_retry_time(server: FakeServer) -> None:
    """Everything the server says about a failure is on the exception."""
    refusal = Refusal(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "too many", "ADMISSION_LIMIT", [("policy.budget_usd", "too small")], 7
    )
    server.answers("GetRun", refusal)

    async with AsyncClient(server.address) as client:
        with pytest.raises(MeshflowCallError) as raised:
            await client.get_run("run_1")

    error = raised.value
    assert (error.code, error.reason, error.message) == ("RESOURCE_EXHAUSTED", "ADMISSION_LIMIT", "too many")
    assert [(each.field, each.description) for each in error.violations] == [("policy.budget_usd", "too small")]
    assert error.retry_after_s == 7


async def test_an_unreachable_server_is_a_call_error() -> None:
    """Nobody listening is UNAVAILABLE without a reason."""
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(MeshflowCallError) as raised:
            await client.health()

    assert (raised.value.code, raised.value.reason) == ("UNAVAILABLE", "")


async def test_a_stream_that_fails_raises_after_its_events(server: FakeServer) -> None:
    """Events before the failure are yielded, then the typed error comes."""
    server.answers("StreamRun", [RunEvent(event_type="run_started", sequence=1), Refusal(grpc.StatusCode.INTERNAL)])
    seen = []

    async with AsyncClient(Connection(server.address, reconnects=0)) as client:
        with pytest.raises(MeshflowCallError):
            async for event in client.stream_run("a task"):
                seen.append(event.event_type)  # noqa: PERF401 - the list must survive the error

    assert seen == ["run_started"]


def test_a_closed_client_says_so(server: FakeServer, recwarn: pytest.WarningsRecorder) -> None:
    """In its own words, for calls and streams, and without a warning of a call that nobody awaited."""
    with Client(server.address) as client:
        pass
    with pytest.raises(RuntimeError, match="the client is closed; make another one"):
        client.get_run("run_1")
    with pytest.raises(RuntimeError, match="the client is closed"):
        list(client.watch_run("run_1"))
    gc.collect()
    assert not list(recwarn)


def test_the_blocking_client_has_every_method_of_the_asynchronous_one() -> None:
    """Both clients have the same methods with the same parameters."""

    def methods(client: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(client, inspect.isfunction)
            if not name.startswith("_")
        }

    assert methods(Client) == methods(AsyncClient)


def test_the_blocking_client_runs_streams_and_verifies(server: FakeServer) -> None:
    """Calls and streams work from blocking code."""
    server.answers("Run", RUN)
    server.answers("StreamRun", [RunEvent(event_type="run_started"), RunEvent(event_type="run_completed")])
    server.answers("VerifyRun", VerifyRunResponse(valid=True, entries_checked=4))

    with Client(server.address) as client:
        assert client.run("a task").output == "done"
        assert [event.event_type for event in client.stream_run("a task")] == ["run_started", "run_completed"]
        assert client.verify_run("run_1").entries_checked == 4
        client.close()


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("localhost:8765", "localhost:8765"),
        ("http://h:81", "h:81"),
        ("https://h", "h:443"),
        ("http://[::1]:9/", "[::1]:9"),
    ],
)
def test_addresses_are_hosts_and_ports_or_urls(address: str, target: str) -> None:
    """Each form of an address names a target."""
    assert Connection(address).target == target


@pytest.mark.parametrize("address", ["", "host", "host:", "host:0", "host:99999", "ftp://h", "http://h/path", "h:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """An address without a port, or of another scheme, names what to write instead."""
    with pytest.raises(ValueError, match="is not an address"):
        _ = Connection(address).target
