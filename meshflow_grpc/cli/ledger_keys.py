"""``meshflow ledger rewrap``: the keys that encrypt payloads."""

from __future__ import annotations

import asyncio

import typer

from meshflow_grpc.cli.ledger import Db
from meshflow_grpc.cli.output import stderr_console


def register(app: typer.Typer) -> None:
    """Adds the command to ``meshflow ledger``."""
    app.command()(rewrap)


def rewrap(db: Db = None) -> None:
    """Wraps the keys of all encrypted runs with the first key of MESHFLOW_PAYLOAD_KEY. None may be running on a SQLite ledger."""
    count, key_id = asyncio.run(_rewrap(db))
    typer.echo(f"{count} keys wrapped anew; every run's key is under {key_id}")
    stderr_console().print(
        "older keys open nothing in this ledger any more, but still open backups of it", highlight=False
    )


async def _rewrap(db: str | None) -> tuple[int, str]:
    from meshflow_grpc.config import ConfigProblem, ConfigurationError, load_ledger_settings
    from meshflow_grpc.storage.factory import open_storage

    settings = load_ledger_settings(ledger_db=db)
    keys = settings.payload_keys
    if not keys:
        fix = "set it to the new key and the old ones, in this order"
        raise ConfigurationError((ConfigProblem("MESHFLOW_PAYLOAD_KEY", "missing, and keys cannot be wrapped", fix),))
    storage = await open_storage(settings.ledger_db, pool_min=1, payload_keys=keys)
    try:
        return await storage.rewrap_keys(), keys.ids[0]
    finally:
        await storage.close()
