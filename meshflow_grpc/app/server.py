"""The server process: opens the outside world, serves until it is told to stop, and closes in order."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.app.assembly import Outside, Runtime, assemble
from meshflow_grpc.app.authentication import open_authenticator
from meshflow_grpc.app.model_provider import open_provider
from meshflow_grpc.app.options import runtime_options
from meshflow_grpc.app.public_envoy import public_address, start_envoy, until_stopped
from meshflow_grpc.app.public_tls import public_tls
from meshflow_grpc.app.readiness import keep_readiness
from meshflow_grpc.app.reloading import keep_reloading
from meshflow_grpc.app.scanner import open_scanner
from meshflow_grpc.app.telemetry import open_telemetry
from meshflow_grpc.config.display import bare_url
from meshflow_grpc.config.signing import log_keys
from meshflow_grpc.envoy.bootstrap import TcpAddress
from meshflow_grpc.ports.tracer import NoTracer
from meshflow_grpc.providers.approval_webhook import approval_notifier
from meshflow_grpc.providers.http_caller import AllowedHttp
from meshflow_grpc.rpc.probe_server import ProbeServer
from meshflow_grpc.rpc.server import READINESS_NAMES, GrpcServer, ServerLimits
from meshflow_grpc.storage.anchor_file import AnchorFile
from meshflow_grpc.storage.factory import leases_of, open_storage
from meshflow_grpc.system import StopRequests
from meshflow_grpc.telemetry.log_notifier import LogNotifier
from meshflow_grpc.telemetry.log_observer import LogObserver
from meshflow_grpc.tools.loading import load_registry

if TYPE_CHECKING:
    from meshflow_grpc.app.public_tls import PublicTls
    from meshflow_grpc.app.seat import Seat
    from meshflow_grpc.app.telemetry import Telemetry
    from meshflow_grpc.config import Settings
    from meshflow_grpc.envoy.process import EnvoyProcess

_log = structlog.get_logger(__name__)

# The writer thread gets the interpreter back quickly while the event loop is busy (default: 5 ms).
SWITCH_INTERVAL_S = 0.0005
HEARTBEAT_S = 0.5
# Calls that Envoy or clients sent before they saw that the server drains still arrive for a moment.
LINGER_S = 0.5
# A JSON body becomes up to this many times larger as a google.protobuf.Struct (an array of short numbers grows most).
STRUCT_GROWTH = 8


async def serve(settings: Settings, seat: Seat | None = None) -> int:
    """Runs the server until SIGTERM or SIGINT, or until Envoy ends; returns the exit code. Raises OSError when a port is taken.

    ``seat`` is that of one of several workers, whose supervisor started Envoy.
    """
    async with open_telemetry(settings, 0 if seat is None else seat.index) as telemetry:
        return await _open_and_serve(settings, telemetry, seat)


async def _open_and_serve(settings: Settings, telemetry: Telemetry, seat: Seat | None) -> int:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    tools = load_registry(settings.app)
    storage = await open_storage(
        settings.ledger_db,
        pool_min=settings.pg_pool_min,
        pool_max=settings.pg_pool_max,
        statement_cache=settings.pg_statement_cache,
        payload_keys=settings.payload_keys,
    )
    try:
        provider = await asyncio.to_thread(open_provider, settings)
        try:
            anchor = AnchorFile(settings.anchor_file) if settings.anchor_file else None
            secret, in_trials = settings.webhook_secret, settings.env == "development"
            key = secret.get_secret_value() if secret else None
            async with approval_notifier(key, LogNotifier(), trust_all=in_trials) as notifier:
                outside = Outside(
                    storage,
                    provider,
                    log_keys=log_keys(settings),
                    anchor=anchor,
                    notifier=notifier,
                    tools=tools,
                    scanner=await asyncio.to_thread(open_scanner, settings),
                    http=AllowedHttp(settings.called_hosts, trust_all=in_trials),
                    observer=telemetry.observer,
                    tracer=telemetry.tracing.run_tracer(provider.name) if telemetry.tracing else NoTracer(),
                    leases=leases_of(storage, settings.ledger_db, settings.lease_s),
                )
                return await _serve(settings, outside, telemetry, seat)
        finally:
            await provider.close()
    finally:
        await storage.close()


async def _serve(settings: Settings, outside: Outside, telemetry: Telemetry, seat: Seat | None) -> int:
    with public_tls(settings, seat) as tls:
        return await _serve_publicly(settings, outside, telemetry, tls, seat)


async def _serve_publicly(
    settings: Settings, outside: Outside, telemetry: Telemetry, tls: PublicTls, seat: Seat | None
) -> int:
    runtime = assemble(outside, runtime_options(settings))
    limits = ServerLimits(
        max_request_bytes=settings.max_request_bytes * STRUCT_GROWTH,
        shares_port=seat is not None and not settings.use_envoy,
    )
    telemetry.metrics.watch(active_runs=lambda: runtime.engine.in_flight, ready=lambda: runtime.state.ready)
    authenticator, files = await asyncio.to_thread(open_authenticator, settings, tls.proof)
    server = GrpcServer(runtime.commands, runtime.state, authenticator, limits, telemetry=telemetry.calls)
    LogObserver().log_opened(await runtime.log.open(), outside.log_keys.verifiers)
    runtime.log.start()
    stop = StopRequests()
    heart = asyncio.create_task(runtime.state.keep_beating(HEARTBEAT_S))
    grpc_host = "127.0.0.1" if settings.use_envoy else settings.host
    listen = f"{grpc_host}:{settings.grpc_port}" if seat is None else seat.grpc
    grpc_port = await server.start(listen, tls.credentials())
    probes = ProbeServer(runtime.state, READINESS_NAMES)
    envoy = sweep = readiness = duty = reloading = None
    telling = None if seat is None else asyncio.create_task(seat.keep_telling(runtime.state))

    async def publish(serving: bool) -> None:
        probes.set_serving(serving=serving)
        await server.set_serving(serving=serving)
        if seat is not None:
            seat.tell(runtime.state)

    try:
        if settings.use_envoy and seat is None:
            probe_port = probes.start("127.0.0.1:0")
            upstream = TcpAddress("127.0.0.1", grpc_port)
            envoy = await start_envoy(settings, upstream, probe_port, tls.downstream)
        resumed = await runtime.ownership.begin()
        sweep = asyncio.create_task(runtime.gates.keep_expiring())
        duty = asyncio.create_task(runtime.ownership.keep(settings.lease_s)) if outside.leases else None
        reloading = asyncio.create_task(keep_reloading((*tls.reloaded(), *files), settings.reload_s))
        runtime.state.started = True
        await publish(True)
        readiness = asyncio.create_task(keep_readiness(runtime.state, outside.storage, publish))
        ledger, address = bare_url(settings.ledger_db), public_address(settings, envoy.port if envoy else grpc_port)
        if seat is None:
            _log.info("serving", address=address, grpc_port=grpc_port, ledger=ledger, resumed_runs=resumed)
        else:
            _log.info("worker_serving", address=seat.grpc, ledger=ledger, resumed_runs=resumed)
        return await until_stopped(stop.first, envoy)
    finally:
        for task in filter(None, (readiness, sweep, reloading)):
            task.cancel()
        runtime.state.draining = True
        await publish(False)
        await _shut_down(runtime, server, envoy, settings.shutdown_grace_s)
        for task in filter(None, (duty, telling, heart)):
            task.cancel()
        probes.stop()


async def _shut_down(runtime: Runtime, server: GrpcServer, envoy: EnvoyProcess | None, grace_s: float) -> None:
    """Readiness off, no new runs, finish what is in flight, then close from the outside in."""
    if envoy is not None:
        with suppress(Exception):
            await envoy.drain()
    stopped = await runtime.engine.drain(grace_s)
    if stopped:
        _log.warning("runs_handed_over", count=stopped, note="they go on after the restart")
    await runtime.ownership.leave()
    await server.stop(min(LINGER_S, grace_s))
    await runtime.log.stop()
    if envoy is not None:
        await envoy.stop()
    _log.info("stopped")
