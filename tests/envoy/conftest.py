"""One real Envoy in front of one real gRPC server, for all tests of this folder that do not break them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
import pytest_asyncio

from meshflow_grpc.envoy.binary import EnvoyNotFoundError, find_envoy
from meshflow_grpc.envoy.bootstrap import EnvoyConfig, TcpAddress
from meshflow_grpc.envoy.process import EnvoyOptions, EnvoyProcess
from tests.envoy.answering_server import Witness, start_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ANY_PORT = TcpAddress("127.0.0.1", 0)
ORIGIN = "https://console.example.com"


class Proxy(NamedTuple):
    """A running proxy and what is behind it."""

    envoy: EnvoyProcess
    witness: Witness
    url: str
    target: str
    log: list[str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for the shared proxy and its tests."""
    for item in items:
        if "tests/envoy" not in item.path.as_posix():
            continue
        item.add_marker(pytest.mark.envoy)
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def options() -> EnvoyOptions:
    """How the tests start Envoy."""
    try:
        return EnvoyOptions(find_envoy(), start_timeout_s=60.0)
    except EnvoyNotFoundError as error:
        pytest.skip(str(error))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(options: EnvoyOptions) -> AsyncIterator[Proxy]:
    """The proxy all tests of the folder share."""
    witness, log = Witness(), list[str]()
    server, port = await start_server(witness, "127.0.0.1:0")
    config = EnvoyConfig(ANY_PORT, TcpAddress("127.0.0.1", port), allowed_origins=(ORIGIN,))
    envoy = await EnvoyProcess.start(options, config, log.append)
    target = f"127.0.0.1:{envoy.port}"
    yield Proxy(envoy, witness, f"http://{target}", target, log)
    await envoy.stop()
    await server.stop(None)


@pytest.fixture
def proxy(shared: Proxy) -> Iterator[Proxy]:
    """The shared proxy with a witness that has seen nothing."""
    shared.witness.reset()
    yield shared
    shared.witness.proceed.set()


@pytest_asyncio.fixture(loop_scope="session")
async def http(proxy: Proxy) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the proxy."""
    async with httpx.AsyncClient(base_url=proxy.url, timeout=60.0, trust_env=False) as client:
        yield client
