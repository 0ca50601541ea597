"""A server process from its opened parts to its end: listens, serves until it is told to stop, drains, and closes in order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.app.assembly import assemble
from meshflow_grpc.app.authentication import open_authentication
from meshflow_grpc.app.interpreter import run_as_server
from meshflow_grpc.app.mesh_security import with_nodes
from meshflow_grpc.app.options import runtime_options
from meshflow_grpc.app.public_envoy import leave, public_address, start_envoy, until_stopped
from meshflow_grpc.app.readiness import keep_readiness
from meshflow_grpc.app.reloading import declared_files, keep_reloading
from meshflow_grpc.config.display import bare_url
from meshflow_grpc.domain.address import endpoint
from meshflow_grpc.envoy.bootstrap import TcpAddress
from meshflow_grpc.json_schema import load_library
from meshflow_grpc.rpc.probe_server import ProbeServer
from meshflow_grpc.rpc.server import READINESS_NAMES, GrpcServer, ServerLimits
from meshflow_grpc.system import StopRequests
from meshflow_grpc.telemetry.log_observer import LogObserver

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from meshflow_grpc.app.assembly import Outside
    from meshflow_grpc.app.mesh import Membership
    from meshflow_grpc.app.public_tls import PublicTls
    from meshflow_grpc.app.seat import Seat
    from meshflow_grpc.app.telemetry import Telemetry
    from meshflow_grpc.app.temporal import TemporalSeat
    from meshflow_grpc.config import Settings
    from meshflow_grpc.envoy.process import EnvoyProcess

_log = structlog.get_logger(__name__)

HEARTBEAT_S: Final = 0.5
# Calls that Envoy or clients sent before they saw that the server drains still arrive for a moment.
LINGER_S: Final = 0.5
# Answers of which the last bytes are still to be sent when the runs have ended; a reader that stopped reading may never take its own.
ANSWERED_WITHIN_S: Final = 8.0
# Connections whose last bytes are with the network, on a machine that has other things to do.
CLOSED_WITHIN_S: Final = 4.0
# Callers that are refused come back later; so long connections are left to those that do not.
QUIET_WITHIN_S: Final = 2.0
# A JSON body becomes up to this many times larger as a google.protobuf.Struct (an array of short numbers grows most).
STRUCT_GROWTH: Final = 8


class Serving:
    """One server, alone or as one of several workers. ``run`` may be called once."""

    def __init__(
        self,
        settings: Settings,
        outside: Outside,
        telemetry: Telemetry,
        tls: PublicTls,
        seat: Seat | None,
        temporal: TemporalSeat | None,
    ) -> None:
        self._settings = settings
        self._outside = outside
        self._telemetry = telemetry
        self._tls = tls
        self._seat = seat
        options = runtime_options(settings)
        self._declared = declared_files(settings, options.recipients)
        self._runtime = assemble(outside, options)
        self._worker = temporal.worker(self._runtime) if temporal else None
        self._working: asyncio.Task[None] | None = None
        self._probes = ProbeServer(self._runtime.state, READINESS_NAMES)
        self._envoy: EnvoyProcess | None = None
        # Those that end when the server begins to stop, and those that go on until it has.
        self._early: list[asyncio.Task[None]] = []
        self._late: list[asyncio.Task[None]] = []

    async def run(self, mesh: Membership | None) -> int:
        """Serves until a signal (0) or Envoy's end (1). Raises ConfigurationError, ValueError, LogInconsistentError and OSError."""
        settings, runtime = self._settings, self._runtime
        self._telemetry.metrics.watch(active_runs=lambda: runtime.engine.in_flight, ready=lambda: runtime.state.ready)
        if self._tls.certified:
            self._telemetry.metrics.watch_certificate(self._tls.certificate_end)
        opened = await open_authentication(settings, self._tls.proof)
        authenticator = opened.authenticator
        if mesh is not None:
            authenticator = with_nodes(settings, authenticator, mesh.local, self._telemetry.metrics.node_refused)
        limits = ServerLimits(
            max_request_bytes=settings.max_request_bytes * STRUCT_GROWTH,
            shares_port=self._seat is not None and not settings.use_envoy,
        )
        self._server = GrpcServer(
            runtime.commands, runtime.state, authenticator, limits, telemetry=self._telemetry.calls
        )
        LogObserver().log_opened(await runtime.log.open(), self._outside.log_keys.verifiers)
        runtime.log.start()
        stop = self._stop_requests = StopRequests()
        self._spawn(self._late, runtime.state.keep_beating(HEARTBEAT_S))
        grpc_port = await self._server.start(self._listens_on(), self._tls.credentials())
        try:
            await self._begin(grpc_port, mesh)
            files = (*self._tls.reloaded(), *opened.files, *self._declared)
            self._spawn(self._early, keep_reloading(files, settings.reload_s))
            if opened.upkeep is not None:
                self._spawn(self._early, opened.upkeep())
            await self._announce(grpc_port)
            with run_as_server():
                return await until_stopped(stop.first, self._envoy)
        finally:
            await self._stop(mesh)

    def _spawn(self, tasks: list[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    def _listens_on(self) -> str:
        if self._seat is not None:
            return self._seat.grpc
        host = "127.0.0.1" if self._settings.use_envoy else self._settings.host
        return endpoint(host, self._settings.grpc_port)

    async def _begin(self, grpc_port: int, mesh: Membership | None) -> None:
        """Starts what works in the background, and takes up runs."""
        settings, runtime = self._settings, self._runtime
        preparing = asyncio.create_task(self._prepare())
        if self._seat is not None:
            self._spawn(self._late, self._seat.keep_telling(runtime.state))
        elif settings.use_envoy:
            probe_port = self._probes.start("127.0.0.1:0")
            upstream = TcpAddress("127.0.0.1", grpc_port)
            self._envoy = await start_envoy(settings, upstream, probe_port, self._tls.downstream)
        if mesh is not None:
            # Runs that are taken up may wait for peers, which must be known then, and know this node.
            await mesh.join(settings, self._envoy.port if self._envoy else grpc_port)
        self._resumed = await runtime.ownership.begin()
        if self._worker is not None:
            self._working = asyncio.create_task(self._worker.work(settings.shutdown_grace_s))
        self._spawn(self._early, runtime.expiry.keep_expiring())
        if runtime.webhooks:
            self._spawn(self._late, runtime.webhooks.keep_sending())
        if self._outside.leases or self._worker is not None:
            self._spawn(self._late, runtime.ownership.keep(settings.lease_s))
        await preparing

    async def _prepare(self) -> None:
        """Loads what the first step of a tool needs, beside the start of all else: on the loop every call would wait for it."""
        if self._outside.tools.tool_names:
            await asyncio.to_thread(load_library)

    async def _announce(self, grpc_port: int) -> None:
        """From here on traffic is wanted."""
        settings, runtime = self._settings, self._runtime
        runtime.state.started = True
        await self._publish(True)
        self._spawn(self._early, keep_readiness(runtime.state, self._outside.storage, self._publish))
        port = self._envoy.port if self._envoy else grpc_port
        said = {"ledger": bare_url(settings.ledger_db), "resumed_runs": self._resumed}
        if self._seat is None:
            _log.info("serving", address=public_address(settings, port), grpc_port=grpc_port, **said)
        else:
            _log.info("worker_serving", address=self._seat.grpc, **said)

    async def _publish(self, serving: bool) -> None:
        self._probes.set_serving(serving=serving)
        await self._server.set_serving(serving=serving)
        if self._seat is not None:
            self._seat.tell(self._runtime.state)

    async def _stop(self, mesh: Membership | None) -> None:
        """Readiness off, no new runs, finish what is in flight, then close from the outside in."""
        for task in self._early:
            task.cancel()
        self._runtime.state.draining = True
        await self._publish(False)
        await self._drain(self._settings.shutdown_grace_s, mesh)
        for task in self._late:
            task.cancel()
        self._probes.stop()

    async def _drain(self, grace_s: float, mesh: Membership | None) -> None:
        runtime = self._runtime
        if self._envoy is not None:
            with suppress(Exception):
                await self._envoy.drain()
        hurry, hand_over = self._stop_requests.second, self._settings.drain == "hand_over"
        left = asyncio.create_task(self._leave(grace_s, hurry))
        await self._end_runs(grace_s, hurry, hand_over=hand_over)
        if mesh is not None:
            # Until here its own runs may wait for peers, which let in registered nodes only; what they ask of it is refused.
            await mesh.local.withdraw()
        await left
        await runtime.ownership.leave()
        runtime.hub.close()
        await self._stop_requests.unless_hurried(self._server.until_answered(), ANSWERED_WITHIN_S)
        if not hurry.is_set():
            await self._server.until_quiet(LINGER_S)
        await self._server.stop(0 if hurry.is_set() else CLOSED_WITHIN_S)
        await runtime.log.stop()
        if self._envoy is not None:
            await leave(self._envoy, self._stop_requests)
        _log.info("stopped")

    async def _end_runs(self, grace_s: float, hurry: asyncio.Event, *, hand_over: bool) -> None:
        if self._worker is not None:
            self._worker.stop()
        stopped = await self._runtime.engine.drain(grace_s, hurry, hand_over=hand_over)
        if stopped:
            _log.warning("runs_handed_over", count=stopped, note="they go on on another server, or after the restart")
        if self._working is not None:
            await self._working

    async def _leave(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Proxies send their calls elsewhere; then connections end while runs on them go on, so that other callers leave too."""
        if self._settings.use_envoy:
            return  # it closes its connections in order
        await self._stop_requests.unless_hurried(self._server.until_told(), grace_s)
        alone = self._seat is None  # else other workers listen on the port too, and take the callers at once
        if alone:
            await self._server.until_quiet(QUIET_WITHIN_S)
        if (self._runtime.engine.in_flight or not alone) and not hurry.is_set():
            try:
                await self._server.send_away(grace_s + ANSWERED_WITHIN_S)
            except OSError as error:
                _log.warning("port_taken_while_stopping", error=str(error))
