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
from meshflow_grpc.app.public_tls import public_tls
from meshflow_grpc.app.readiness import keep_readiness
from meshflow_grpc.app.reloading import keep_reloading
from meshflow_grpc.app.scanner import open_scanner
from meshflow_grpc.app.telemetry import open_telemetry
from meshflow_grpc.config.display import bare_url
from meshflow_grpc.config.signing import log_keys
from meshflow_grpc.envoy.binary import EnvoyNotFoundError, find_envoy
from meshflow_grpc.envoy.bootstrap import EnvoyConfig, TcpAddress
from meshflow_grpc.envoy.process import EnvoyOptions, EnvoyProcess, EnvoyStartError
from meshflow_grpc.ports.tracer import NoTracer
from meshflow_grpc.providers.approval_webhook import approval_notifier
from meshflow_grpc.providers.http_caller import AllowedHttp
from meshflow_grpc.providers.signed_post import signed_post
from meshflow_grpc.rpc.probe_server import ProbeServer
from meshflow_grpc.rpc.server import READINESS_NAMES, GrpcServer, ServerLimits
from meshflow_grpc.storage.anchor_file import AnchorFile
from meshflow_grpc.storage.factory import leases_of, open_storage
from meshflow_grpc.system import stop_requested
from meshflow_grpc.telemetry.log_notifier import LogNotifier
from meshflow_grpc.telemetry.log_observer import LogObserver
from meshflow_grpc.tools.loading import load_registry

if TYPE_CHECKING:
    from meshflow_grpc.app.public_tls import PublicTls
    from meshflow_grpc.app.telemetry import Telemetry
    from meshflow_grpc.config import Settings
    from meshflow_grpc.envoy.tls import DownstreamTls

_log = structlog.get_logger(__name__)

# The writer thread gets the interpreter back quickly while the event loop is busy (default: 5 ms).
SWITCH_INTERVAL_S = 0.0005
HEARTBEAT_S = 0.5
# Calls that Envoy or clients sent before they saw that the server drains still arrive for a moment.
LINGER_S = 0.5
# A JSON body becomes up to this many times larger as a google.protobuf.Struct (an array of short numbers grows most).
STRUCT_GROWTH = 8


async def serve(settings: Settings) -> int:
    """Runs the server until SIGTERM or SIGINT, or until Envoy ends; returns the exit code. Raises OSError when a port is taken."""
    async with open_telemetry(settings) as telemetry:
        return await _open_and_serve(settings, telemetry)


async def _open_and_serve(settings: Settings, telemetry: Telemetry) -> int:
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
            async with (
                signed_post(key, trust_all=in_trials) as sender,
                approval_notifier(sender, LogNotifier()) as notifier,
            ):
                outside = Outside(
                    storage,
                    provider,
                    log_keys=log_keys(settings),
                    anchor=anchor,
                    notifier=notifier,
                    sender=sender,
                    tools=tools,
                    scanner=await asyncio.to_thread(open_scanner, settings),
                    http=AllowedHttp(settings.called_hosts, trust_all=in_trials),
                    observer=telemetry.observer,
                    tracer=telemetry.tracing.run_tracer(provider.name) if telemetry.tracing else NoTracer(),
                    leases=leases_of(storage, settings.ledger_db, settings.lease_s),
                )
                return await _serve(settings, outside, telemetry)
        finally:
            await provider.close()
    finally:
        await storage.close()


async def _serve(settings: Settings, outside: Outside, telemetry: Telemetry) -> int:
    with public_tls(settings) as tls:
        return await _serve_publicly(settings, outside, telemetry, tls)


async def _serve_publicly(settings: Settings, outside: Outside, telemetry: Telemetry, tls: PublicTls) -> int:
    runtime = assemble(outside, runtime_options(settings))
    limits = ServerLimits(max_request_bytes=settings.max_request_bytes * STRUCT_GROWTH)
    telemetry.metrics.watch(active_runs=lambda: runtime.engine.in_flight, ready=lambda: runtime.state.ready)
    authenticator, files = await asyncio.to_thread(open_authenticator, settings, tls.proof)
    server = GrpcServer(runtime.commands, runtime.state, authenticator, limits, telemetry=telemetry.calls)
    LogObserver().log_opened(await runtime.log.open(), outside.log_keys.verifiers)
    runtime.log.start()
    stop = stop_requested()
    heart = asyncio.create_task(runtime.state.keep_beating(HEARTBEAT_S))
    grpc_host = "127.0.0.1" if settings.use_envoy else settings.host
    grpc_port = await server.start(f"{grpc_host}:{settings.grpc_port}", tls.credentials())
    probes = ProbeServer(runtime.state, READINESS_NAMES)
    envoy = sweep = readiness = duty = reloading = hooks = None

    async def publish(serving: bool) -> None:
        probes.set_serving(serving=serving)
        await server.set_serving(serving=serving)

    try:
        envoy = await _start_envoy(settings, grpc_port, probes, tls.downstream) if settings.use_envoy else None
        resumed = await runtime.ownership.begin()
        sweep = asyncio.create_task(runtime.gates.keep_expiring())
        hooks = asyncio.create_task(runtime.webhooks.keep_sending()) if runtime.webhooks else None
        duty = asyncio.create_task(runtime.ownership.keep(settings.lease_s)) if outside.leases else None
        reloading = asyncio.create_task(keep_reloading((*tls.reloaded(), *files), settings.reload_s))
        runtime.state.started = True
        await publish(True)
        readiness = asyncio.create_task(keep_readiness(runtime.state, outside.storage, publish))
        ledger, address = bare_url(settings.ledger_db), _address(settings, envoy.port if envoy else grpc_port)
        _log.info("serving", address=address, grpc_port=grpc_port, ledger=ledger, resumed_runs=resumed)
        return await _until_stopped(stop, envoy)
    finally:
        for task in filter(None, (readiness, sweep, reloading)):
            task.cancel()
        await publish(False)
        await _shut_down(runtime, server, envoy, settings.shutdown_grace_s)
        for task in filter(None, (duty, hooks)):
            task.cancel()
        probes.stop()
        heart.cancel()


def _address(settings: Settings, port: int) -> str:
    scheme = "https://" if settings.uses_tls else "http://" if settings.use_envoy else ""
    return f"{scheme}{settings.host}:{port}{'' if settings.use_envoy else ' (gRPC only)'}"


async def _start_envoy(
    settings: Settings, grpc_port: int, probes: ProbeServer, tls: DownstreamTls | None
) -> EnvoyProcess:
    config = EnvoyConfig(
        TcpAddress(settings.host, settings.port),
        TcpAddress("127.0.0.1", grpc_port),
        max_request_bytes=settings.max_request_bytes,
        allowed_origins=settings.origins,
        probes=TcpAddress("127.0.0.1", probes.start("127.0.0.1:0")),
        tls=tls,
    )
    try:
        options = EnvoyOptions(find_envoy(settings.envoy), drain_time_s=max(1.0, settings.shutdown_grace_s))
        return await EnvoyProcess.start(options, config, lambda line: _log.warning("envoy", line=line))
    except (EnvoyStartError, EnvoyNotFoundError) as error:
        raise OSError(str(error)) from error


async def _until_stopped(stop: asyncio.Event, envoy: EnvoyProcess | None) -> int:
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


async def _shut_down(runtime: Runtime, server: GrpcServer, envoy: EnvoyProcess | None, grace_s: float) -> None:
    """Readiness off, no new runs, finish what is in flight, then close from the outside in."""
    runtime.state.draining = True
    await server.set_serving(serving=False)
    if envoy is not None:
        with suppress(Exception):
            await envoy.drain()
    stopped = await runtime.engine.drain(grace_s)
    if stopped:
        _log.warning("runs_handed_over", count=stopped, note="they go on after the restart")
    await runtime.ownership.leave()
    runtime.hub.close()
    await server.stop(min(LINGER_S, grace_s))
    await runtime.log.stop()
    if envoy is not None:
        await envoy.stop()
    _log.info("stopped")
