"""Envoy as a child: it starts or says why not, is watched, drains, and never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from meshflow_grpc.envoy.bootstrap import EnvoyConfig, TcpAddress, UnixAddress
from meshflow_grpc.envoy.process import EnvoyExitedError, EnvoyOptions, EnvoyProcess, EnvoyStartError
from tests.envoy.answering_server import Witness, start_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.envoy.conftest import Proxy

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = TcpAddress("127.0.0.1", 9)
ANY_PORT = TcpAddress("127.0.0.1", 0)
PARENT = """
import asyncio, sys
from pathlib import Path
from meshflow_grpc.envoy.bootstrap import EnvoyConfig, TcpAddress
from meshflow_grpc.envoy.process import EnvoyOptions, EnvoyProcess

async def main():
    config = EnvoyConfig(TcpAddress("127.0.0.1", 0), TcpAddress("127.0.0.1", 9))
    envoy = await EnvoyProcess.start(EnvoyOptions(Path(sys.argv[1])), config, print)
    print(envoy.pid, envoy.port, envoy.admin_socket, flush=True)
    await envoy.crashed

asyncio.run(main())
"""


@asynccontextmanager
async def running(options: EnvoyOptions, config: EnvoyConfig) -> AsyncIterator[EnvoyProcess]:
    """An Envoy of the test's own."""
    envoy = await EnvoyProcess.start(options, config, lambda _: None)
    try:
        yield envoy
    finally:
        await envoy.stop()


def client(envoy: EnvoyProcess) -> httpx.AsyncClient:
    """An HTTP client of one Envoy."""
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{envoy.port}", timeout=60, trust_env=False)


async def test_a_taken_port_is_named(proxy: Proxy, options: EnvoyOptions) -> None:
    """A second Envoy on the same port does not take half of the traffic: it does not start."""
    taken = TcpAddress("127.0.0.1", proxy.envoy.port)

    with pytest.raises(EnvoyStartError) as caught:
        await EnvoyProcess.start(options, EnvoyConfig(taken, NOWHERE), lambda _: None)

    assert f"127.0.0.1:{proxy.envoy.port} is taken" in str(caught.value)
    assert "--port or MESHFLOW_PORT" in str(caught.value)


async def test_an_invalid_configuration_fails_with_envoys_words(options: EnvoyOptions) -> None:
    """What Envoy says reaches the operator, through the error and line by line."""
    log: list[str] = []

    with pytest.raises(EnvoyStartError, match="not-an-address"):
        await EnvoyProcess.start(options, EnvoyConfig(TcpAddress("not-an-address", 0), NOWHERE), log.append)

    assert any("not-an-address" in line for line in log)


async def test_what_is_not_envoy_fails_to_start(tmp_path: Path) -> None:
    """A program that ends or cannot be run is an error, not a wait."""
    with pytest.raises(EnvoyStartError, match="ended with status"):
        await EnvoyProcess.start(EnvoyOptions(tmp_path / "absent"), EnvoyConfig(ANY_PORT, NOWHERE), lambda _: None)


async def test_a_temporary_directory_with_a_long_name_is_named(
    options: EnvoyOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unix sockets have short paths; the operator learns what to change."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))

    with pytest.raises(EnvoyStartError, match="at most 107 bytes; use a shorter directory"):
        await EnvoyProcess.start(options, EnvoyConfig(ANY_PORT, NOWHERE), lambda _: None)

    assert list(long.iterdir()) == []


async def test_a_crash_is_told(options: EnvoyOptions) -> None:
    """The server learns that its public port is gone."""
    async with running(options, EnvoyConfig(ANY_PORT, NOWHERE)) as envoy:
        os.kill(envoy.pid, signal.SIGKILL)

        error = await asyncio.wait_for(envoy.crashed, 30)

    assert "status -9" in str(error)


async def test_stopping_is_no_crash_and_leaves_nothing(options: EnvoyOptions) -> None:
    """After stop() the process, its port and its files are gone; stopping twice is fine."""
    async with running(options, EnvoyConfig(ANY_PORT, NOWHERE)) as envoy:
        directory = envoy.admin_socket.parent
        await envoy.stop()

        assert not envoy.crashed.done()
        assert not directory.exists()
        with pytest.raises(ProcessLookupError):
            os.kill(envoy.pid, 0)


async def test_the_administration_is_for_its_owner(proxy: Proxy) -> None:
    """No other user of the machine can read the configuration or stop the proxy."""
    mode = proxy.envoy.admin_socket.parent.stat().st_mode

    assert stat.S_ISSOCK(proxy.envoy.admin_socket.stat().st_mode)
    assert stat.S_IMODE(mode) == 0o700


async def test_draining_lets_calls_finish_and_sends_clients_away(options: EnvoyOptions) -> None:
    """A stream in flight ends well; every answer from then on closes its connection."""
    witness = Witness()
    server, port = await start_server(witness, "127.0.0.1:0")
    async with (
        running(options, EnvoyConfig(ANY_PORT, TcpAddress("127.0.0.1", port))) as envoy,
        client(envoy) as http,
        http.stream("POST", "/stream", json={"task": "hi"}) as stream,
    ):
        lines = stream.aiter_lines()
        await anext(lines)
        await envoy.drain()
        later = await http.get("/health")
        witness.proceed.set()
        rest = [line async for line in lines]

    await server.stop(None)
    assert later.headers["connection"] == "close"
    assert "run_completed" in rest[1]


async def test_it_is_idle_when_every_answer_is_sent(options: EnvoyOptions) -> None:
    """A stream in flight is waited for, and has its end when Envoy is stopped right after."""
    witness = Witness()
    server, port = await start_server(witness, "127.0.0.1:0")
    async with (
        running(options, EnvoyConfig(ANY_PORT, TcpAddress("127.0.0.1", port))) as envoy,
        client(envoy) as http,
        asyncio.timeout(60),
    ):
        async with http.stream("POST", "/stream", json={"task": "hi"}) as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            idle = asyncio.ensure_future(envoy.until_idle())
            assert (await http.get("/health")).status_code == httpx.codes.OK
            assert not idle.done()
            witness.proceed.set()
            await idle
            await envoy.stop()
            assert "run_completed" in [line async for line in lines][1]
        with pytest.raises(EnvoyExitedError, match="does not answer"):
            await envoy.until_idle()
    await server.stop(None)


async def test_a_unix_socket_works_as_upstream(options: EnvoyOptions, tmp_path: Path) -> None:
    """The server behind Envoy needs no port of its own."""
    path = tmp_path / "grpc.sock"
    server, _ = await start_server(Witness(), f"unix:{path}")
    async with running(options, EnvoyConfig(ANY_PORT, UnixAddress(path))) as envoy, client(envoy) as http:
        answer = await http.get("/health")
    await server.stop(None)

    assert answer.json()["ok"] is True


async def test_an_unreachable_server_is_unavailable(options: EnvoyOptions) -> None:
    """503 in the API's error shape while the server is away."""
    async with running(options, EnvoyConfig(ANY_PORT, NOWHERE)) as envoy, client(envoy) as http:
        answer = await http.get("/health")

    assert (answer.status_code, answer.json()["code"]) == (503, 14)
    assert answer.json()["details"][0]["reason"] == "NOT_READY"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_a_killed_parent_takes_envoy_along(options: EnvoyOptions) -> None:
    """Even kill -9 leaves no proxy behind that would answer 503 on the port."""
    command = [sys.executable, "-c", PARENT, str(options.binary)]
    parent = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    _, port, admin = (await asyncio.wait_for(parent.stdout.readline(), 60)).decode().split()

    parent.kill()
    await parent.wait()

    await asyncio.wait_for(_refused(int(port)), 30)
    shutil.rmtree(Path(admin).parent)


async def _refused(port: int) -> None:
    while True:
        with socket.socket() as probe:
            probe.setblocking(False)
            try:
                # A reset is a connection that the kernel accepted in the moment Envoy ended: ask again.
                with suppress(ConnectionResetError):
                    await asyncio.get_running_loop().sock_connect(probe, ("127.0.0.1", port))
            except ConnectionRefusedError:
                return
        await asyncio.sleep(0)
