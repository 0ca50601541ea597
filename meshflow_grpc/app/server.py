"""The server process: opens the outside world, serves until it is told to stop, and closes in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.app.assembly import Outside
from meshflow_grpc.app.mesh import open_mesh
from meshflow_grpc.app.model_provider import open_provider
from meshflow_grpc.app.public_tls import public_tls
from meshflow_grpc.app.scanner import open_scanner
from meshflow_grpc.app.serving import Serving
from meshflow_grpc.app.telemetry import open_telemetry
from meshflow_grpc.app.temporal import open_temporal
from meshflow_grpc.config.signing import log_keys
from meshflow_grpc.ports.tracer import NoTracer
from meshflow_grpc.providers.approval_webhook import approval_notifier
from meshflow_grpc.providers.http_caller import AllowedHttp
from meshflow_grpc.providers.signed_post import signed_post
from meshflow_grpc.storage.anchor_file import AnchorFile
from meshflow_grpc.storage.factory import leases_of, open_storage
from meshflow_grpc.storage.schema import schema_status
from meshflow_grpc.telemetry.log_notifier import LogNotifier
from meshflow_grpc.tools.loading import load_registry

if TYPE_CHECKING:
    from meshflow_grpc.app.mesh import Membership
    from meshflow_grpc.app.seat import Seat
    from meshflow_grpc.app.telemetry import Telemetry
    from meshflow_grpc.app.temporal import TemporalSeat
    from meshflow_grpc.config import Settings

_log = structlog.get_logger(__name__)


async def serve(settings: Settings, seat: Seat | None = None) -> int:
    """Runs the server until SIGTERM or SIGINT, or until Envoy ends; returns the exit code. Raises OSError when a port is taken.

    ``seat`` is that of one of several workers, whose supervisor started Envoy.
    """
    async with open_telemetry(settings, 0 if seat is None else seat.index) as telemetry:
        return await _open_and_serve(settings, telemetry, seat)


async def _open_and_serve(settings: Settings, telemetry: Telemetry, seat: Seat | None) -> int:
    tools = load_registry(settings.app)
    schema = await schema_status(settings.ledger_db)
    storage = await open_storage(
        settings.ledger_db,
        pool_min=settings.pg_pool_min,
        pool_max=settings.pg_pool_max,
        statement_cache=settings.pg_statement_cache,
        payload_keys=settings.payload_keys,
    )
    if schema.pending:
        _log.info("schema_migrated", from_version=schema.version, to_version=schema.pending[-1])
    try:
        provider = await asyncio.to_thread(open_provider, settings)
        try:
            anchor = AnchorFile(settings.anchor_file) if settings.anchor_file else None
            secret, in_trials = settings.webhook_secret, settings.env == "development"
            key = secret.get_secret_value() if secret else None
            temporal = await open_temporal(settings)
            async with (
                signed_post(key, trust_all=in_trials) as sender,
                approval_notifier(sender, LogNotifier()) as notifier,
                open_mesh(settings, telemetry) as mesh,
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
                    mesh=mesh.local if mesh else None,
                    peers=mesh.access if mesh else None,
                    dispatch=temporal.dispatch if temporal else None,
                )
                return await _serve(settings, outside, telemetry, mesh, seat, temporal)
        finally:
            await provider.close()
    finally:
        await storage.close()


async def _serve(
    settings: Settings,
    outside: Outside,
    telemetry: Telemetry,
    mesh: Membership | None,
    seat: Seat | None,
    temporal: TemporalSeat | None,
) -> int:
    with public_tls(settings, seat) as tls:
        return await Serving(settings, outside, telemetry, tls, seat, temporal).run(mesh)
