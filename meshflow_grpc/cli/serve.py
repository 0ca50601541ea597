"""``meshflow serve``: runs the server until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any


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
    no_envoy: Annotated[bool, typer.Option("--no-envoy", help="Serve gRPC alone, for an Envoy of your own.")] = False,
) -> None:
    """Serves REST, SSE, gRPC and gRPC-Web until SIGTERM or Ctrl-C, then finishes what is in flight."""
    from meshflow_grpc.config import Settings

    # Envoy is started as a program of its own; without this gRPC logs that it skipped its fork handlers.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    settings = Settings.load(host=host, port=port, grpc_port=grpc_port, app=app, use_envoy=False if no_envoy else None)
    for warning in settings.warnings():
        sys.stderr.write(f"warning: {warning}\n")
    sys.stderr.flush()
    from meshflow_grpc.app.server import serve as run_server

    raise typer.Exit(_event_loop()(run_server(settings)))


def _event_loop() -> Callable[[Coroutine[Any, Any, int]], int]:
    """Uvloop where it exists: 20 to 35 % less processor time per request."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
