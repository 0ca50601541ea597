"""Makes commands that talk to a server: they share the options that say which one, and how to print."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.output import OutputFormat

if TYPE_CHECKING:
    from meshflow_grpc.client import AsyncClient, Connection, TlsFiles

P = ParamSpec("P")
R = TypeVar("R")

_PANEL = "Server"
_CONNECTION_OPTIONS: dict[str, tuple[Any, Any]] = {
    "address": (
        Annotated[str, typer.Option(envvar="MESHFLOW_ADDRESS", help="host:port or URL.", rich_help_panel=_PANEL)],
        "127.0.0.1:8765",
    ),
    "token": (
        Annotated[
            str | None,
            typer.Option(envvar="MESHFLOW_TOKEN", help="Bearer token.", rich_help_panel=_PANEL, show_default=False),
        ],
        None,
    ),
    "token_file": (
        Annotated[
            Path | None,
            typer.Option(envvar="MESHFLOW_TOKEN_FILE", help="File with the bearer token.", rich_help_panel=_PANEL),
        ],
        None,
    ),
    "tls": (Annotated[bool, typer.Option("--tls", help="Use TLS.", rich_help_panel=_PANEL)], False),
    "tls_ca": (
        Annotated[
            Path | None,
            typer.Option(envvar="MESHFLOW_TLS_CA", help="Authorities to trust (PEM).", rich_help_panel=_PANEL),
        ],
        None,
    ),
    "tls_cert": (
        Annotated[
            Path | None,
            typer.Option(envvar="MESHFLOW_TLS_CERT", help="Client certificate (PEM).", rich_help_panel=_PANEL),
        ],
        None,
    ),
    "tls_key": (
        Annotated[
            Path | None,
            typer.Option(envvar="MESHFLOW_TLS_KEY", help="Key of the certificate (PEM).", rich_help_panel=_PANEL),
        ],
        None,
    ),
}
_OUTPUT_OPTION = Annotated[OutputFormat, typer.Option("--output", "-o", help="How to print.")]

Body = Callable[Concatenate["AsyncClient", OutputFormat, P], Awaitable[ExitCode]]


def client_command(app: typer.Typer, name: str) -> Callable[[Body[P]], Body[P]]:
    """Registers ``async def body(client, output, ...) -> ExitCode`` as a command with the server's options."""

    def register(body: Body[P]) -> Body[P]:
        call: Callable[..., Awaitable[ExitCode]] = body

        @functools.wraps(body)
        def command(output: OutputFormat, **arguments: Any) -> None:  # noqa: ANN401 - typed by the body's signature
            options = {name: arguments.pop(name) for name in _CONNECTION_OPTIONS}
            code = asyncio.run(_call(_connection(**options), lambda client: call(client, output, **arguments)))
            raise typer.Exit(code)

        del command.__wrapped__
        _declare(command, body)
        app.command(name)(command)
        return body

    return register


def _declare(command: Callable[..., None], body: Callable[..., Any]) -> None:
    """Gives the command the body's parameters, the output format and the server's options, for typer to read."""
    own = list(inspect.signature(body, eval_str=True, locals={"AsyncClient": object}).parameters.values())[2:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [parameter.replace(kind=keyword) for parameter in own]
    parameters.append(
        inspect.Parameter("output", keyword, annotation=_OUTPUT_OPTION, default=OutputFormat.TABLE),
    )
    parameters += [
        inspect.Parameter(name, keyword, annotation=annotation, default=default)
        for name, (annotation, default) in _CONNECTION_OPTIONS.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def _connection(
    *,
    address: str,
    token: str | None,
    token_file: Path | None,
    tls: bool,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> Connection:
    from meshflow_grpc.client import Connection, TlsFiles

    if token and token_file:
        raise ValueError("--token and --token-file exclude each other")
    if (tls_cert is None) != (tls_key is None):
        raise ValueError("--tls-cert and --tls-key belong together")
    secret = token_file.read_text(encoding="utf-8").strip() if token_file else token
    files: TlsFiles | None = TlsFiles(tls_ca, tls_cert, tls_key) if tls or tls_ca or tls_cert else None
    return Connection(address=address, token=secret, tls=files)


async def _call(connection: Connection, body: Callable[[AsyncClient], Awaitable[R]]) -> R:
    from meshflow_grpc.client import AsyncClient, MeshflowCallError

    async with AsyncClient(connection) as client:
        try:
            return await body(client)
        except MeshflowCallError as error:
            if error.code == "UNAVAILABLE" and not error.reason:
                raise MeshflowCallError(error.code, "", f"no meshflow server answers at {connection.target}") from error
            raise
