"""``meshflow key``: makes API keys."""

from __future__ import annotations

import json
import secrets
import sys
from typing import Annotated

import typer

app = typer.Typer(help="Make API keys.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Make API keys."""


@app.command()
def new(
    key_id: Annotated[str, typer.Argument(help="Name of the caller: letters and digits. It goes in the ledger.")],
    tenant: Annotated[str, typer.Option(help="Tenant whose data the key may touch.")],
    role: Annotated[list[str], typer.Option(help="viewer, operator, approver or admin; may be repeated.")],
) -> None:
    """Prints a new key on stderr, once, and its entry for the key file on stdout."""
    from meshflow_grpc.rpc.authenticators.api_key import new_api_key

    key, entry = new_api_key(key_id, tenant, tuple(role), secrets.token_hex)
    sys.stderr.write(f"the key, shown this once: {key}\n")
    sys.stdout.write(json.dumps(entry) + "\n")
