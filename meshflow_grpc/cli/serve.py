"""``meshflow serve``: runs the server until it is told to stop."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from meshflow_grpc.config import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: MESHFLOW_HOST, 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Public port. Default: MESHFLOW_PORT, 8765.")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the gRPC server. Default: MESHFLOW_GRPC_PORT.")
    ] = None,
    app: Annotated[
        str | None, typer.Option(help="Tools and functions, as pkg.module:registry. Default: MESHFLOW_APP.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Server processes, on PostgreSQL. Default: MESHFLOW_WORKERS, 1.")
    ] = None,
    no_envoy: Annotated[bool, typer.Option("--no-envoy", help="Serve gRPC alone, for an Envoy of your own.")] = False,
) -> None:
    """Serves REST, SSE, gRPC and gRPC-Web until SIGTERM or Ctrl-C, then finishes what is in flight."""
    from meshflow_grpc.config import Settings

    # Envoy is started as a program of its own; without this gRPC logs that it skipped its fork handlers.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    use_envoy = False if no_envoy else None
    settings = Settings.load(host=host, port=port, grpc_port=grpc_port, app=app, use_envoy=use_envoy, workers=workers)
    for warning in settings.warnings():
        sys.stderr.write(f"warning: {warning}\n")
    sys.stderr.flush()
    raise typer.Exit(_run(settings))


def _run(settings: Settings) -> int:
    from meshflow_grpc.app.worker import event_loop

    if settings.workers > 1:
        from meshflow_grpc.app.supervisor import supervise

        return event_loop()(supervise(settings))
    from meshflow_grpc.app.server import serve as run_server

    return event_loop()(run_server(settings))
