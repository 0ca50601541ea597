"""The Envoy that listens on the public port, of one server or of several workers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.domain.address import endpoint
from meshflow_grpc.envoy.binary import EnvoyNotFoundError, find_envoy
from meshflow_grpc.envoy.bootstrap import EnvoyConfig, TcpAddress, bootstrap
from meshflow_grpc.envoy.process import EnvoyExitedError, EnvoyOptions, EnvoyProcess, EnvoyStartError

if TYPE_CHECKING:
    from meshflow_grpc.config import Settings
    from meshflow_grpc.envoy.bootstrap import Address
    from meshflow_grpc.envoy.process import MakeBootstrap
    from meshflow_grpc.envoy.tls import DownstreamTls
    from meshflow_grpc.system import StopRequests

# For answers that are on their way through it when the server has given them.
SENT_WITHIN_S: Final = 5.0

_log = structlog.get_logger(__name__)


def public_address(settings: Settings, port: int) -> str:
    """What a caller is told."""
    scheme = "https://" if settings.uses_tls else "http://" if settings.use_envoy else ""
    return f"{scheme}{endpoint(settings.host, port)}{'' if settings.use_envoy else ' (gRPC only)'}"


async def start_envoy(
    settings: Settings,
    upstream: Address,
    probe_port: int,
    tls: DownstreamTls | None,
    make: MakeBootstrap = bootstrap,
) -> EnvoyProcess:
    """Starts it in front of a server, with probes answered on a port of this machine. Raises OSError."""
    config = EnvoyConfig(
        TcpAddress(settings.host, settings.port),
        upstream,
        max_request_bytes=settings.max_request_bytes,
        allowed_origins=settings.origins,
        probes=TcpAddress("127.0.0.1", probe_port),
        tls=tls,
    )
    try:
        options = EnvoyOptions(find_envoy(settings.envoy), drain_time_s=max(1.0, settings.shutdown_grace_s))
        return await EnvoyProcess.start(options, config, lambda line: _log.warning("envoy", line=line), make)
    except (EnvoyStartError, EnvoyNotFoundError) as error:
        raise OSError(str(error)) from error


async def until_stopped(stop: asyncio.Event, envoy: EnvoyProcess | None) -> int:
    """Waits for a signal (0) or for Envoy's end (1)."""
    waiting = asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[object]] = {waiting}  # type: ignore[arg-type]  # futures of different results
    if envoy is not None:
        ends.add(envoy.crashed)  # type: ignore[arg-type]  # same
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        _log.info("stopping", reason="signal")
        return 0
    waiting.cancel()
    if envoy is not None:
        _log.error("stopping", reason=str(envoy.crashed.result()))
    return 1


async def leave(envoy: EnvoyProcess, requests: StopRequests) -> None:
    """Ends it once it has sent on what the server answered."""
    with suppress(EnvoyExitedError):
        await requests.unless_hurried(envoy.until_idle(), SENT_WITHIN_S)
    await envoy.stop()
