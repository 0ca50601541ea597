"""Several workers behind one public port: `meshflow serve --workers N`."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc import __version__
from meshflow_grpc.app.public_envoy import leave, public_address, start_envoy, until_stopped
from meshflow_grpc.app.public_tls import public_tls
from meshflow_grpc.app.reloading import keep_reloading
from meshflow_grpc.app.seat import Seat
from meshflow_grpc.app.shared_port import shared_port
from meshflow_grpc.app.worker_process import COMMAND
from meshflow_grpc.app.workers import Workers, WorkersFailedError
from meshflow_grpc.config.display import bare_url
from meshflow_grpc.config.signing import log_keys
from meshflow_grpc.domain.address import endpoint
from meshflow_grpc.engine.server_state import ServerState
from meshflow_grpc.envoy.bootstrap import UnixAddress
from meshflow_grpc.envoy.workers import workers_bootstrap
from meshflow_grpc.rpc.probe_server import ProbeServer
from meshflow_grpc.rpc.server import READINESS_NAMES
from meshflow_grpc.system import StopRequests, SystemClock
from meshflow_grpc.telemetry.logging import configure_logging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.app.public_tls import PublicTls
    from meshflow_grpc.config import Settings
    from meshflow_grpc.envoy.process import EnvoyProcess

_log = structlog.get_logger(__name__)

# Beyond the grace: handing over, flushing and signing.
STOP_MARGIN_S: Final = 15.0
HEARTBEAT_S: Final = 0.5


async def supervise(settings: Settings, command: Sequence[str] = COMMAND) -> int:
    """Runs the workers until SIGTERM or SIGINT, or until Envoy ends; returns the exit code. Raises OSError when a port is taken."""
    configure_logging(settings.log_level, settings.log_format)
    # A development key is made once here; workers that start side by side would each make one.
    log_keys(settings)
    given = settings.model_dump(include={"host", "port", "app", "use_envoy", "workers"})
    with ExitStack() as stack:
        tls = stack.enter_context(public_tls(settings))
        if settings.use_envoy:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meshflow-workers-")))
            sockets = [UnixAddress(directory / f"{index}.sock") for index in range(settings.workers)]
            seats = [Seat(index, f"unix:{each.path}", 0, given, tls.proof) for index, each in enumerate(sockets)]
            return await Supervisor(settings, tls, seats, command).run(sockets)
        port = stack.enter_context(shared_port(settings.host, settings.grpc_port))
        seats = [Seat(index, endpoint(settings.host, port), 0, given) for index in range(settings.workers)]
        return await Supervisor(settings, tls, seats, command).run((), port)


class Supervisor:
    """Serves through its workers; answers probes for them, itself and from memory."""

    def __init__(self, settings: Settings, tls: PublicTls, seats: Sequence[Seat], command: Sequence[str]) -> None:
        self._settings = settings
        self._tls = tls
        self._state = ServerState(__version__, SystemClock())
        self._probes = ProbeServer(self._state, READINESS_NAMES)
        self._workers = Workers(seats, self._told, command)
        self._envoy: EnvoyProcess | None = None

    def _told(self) -> None:
        self._state.started, self._state.ledger_reachable = self._workers.started, self._workers.ledger_reachable
        self._probes.set_serving(serving=self._workers.ready and not self._state.draining)

    async def run(self, sockets: Sequence[UnixAddress], port: int = 0) -> int:
        """Serves through Envoy in front of the sockets, or, without any, on the port that the workers share."""
        stop = StopRequests()
        beat = asyncio.create_task(self._state.keep_beating(HEARTBEAT_S))
        reloading = asyncio.create_task(
            keep_reloading(self._tls.reloaded() if sockets else (), self._settings.reload_s)
        )
        well, code = False, 1
        try:
            starting = asyncio.create_task(self._workers.start())
            if sockets:
                make = partial(workers_bootstrap, workers=sockets)
                probe_port = self._probes.start("127.0.0.1:0")
                self._envoy = await start_envoy(self._settings, sockets[0], probe_port, self._tls.downstream, make)
            code = await self._serve(stop, starting, self._envoy.port if self._envoy else port)
        except WorkersFailedError as error:
            _log.error("stopping", reason=str(error))
        finally:
            reloading.cancel()
            well = await self._shut_down(stop)
            beat.cancel()
        return code if well else 1

    async def _serve(self, stop: StopRequests, starting: asyncio.Task[None], port: int) -> int:
        stopped = asyncio.create_task(until_stopped(stop.first, self._envoy))
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            try:
                await starting
            except WorkersFailedError:
                stopped.cancel()
                raise
            address, ledger = public_address(self._settings, port), bare_url(self._settings.ledger_db)
            _log.info("serving", address=address, workers=self._settings.workers, ledger=ledger)
        else:
            starting.cancel()
        return await stopped

    async def _shut_down(self, stop: StopRequests) -> bool:
        """Readiness off, clients told to go elsewhere, workers drained side by side; returns whether all ended well."""
        self._state.draining = True
        self._probes.set_serving(serving=False)
        if self._envoy is not None:
            with suppress(Exception):
                await self._envoy.drain()
        hurrying = asyncio.create_task(self._hurry(stop))
        well = await self._workers.stop(self._settings.shutdown_grace_s + STOP_MARGIN_S)
        hurrying.cancel()
        if self._envoy is not None:
            await leave(self._envoy, stop)
        self._probes.stop()
        _log.info("stopped")
        return well

    async def _hurry(self, stop: StopRequests) -> None:
        await stop.second.wait()
        self._workers.hurry()
