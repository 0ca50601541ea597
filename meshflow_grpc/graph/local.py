"""The governed runtime inside the caller's process, for as long as one call takes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from meshflow_grpc.app import Outside, Runtime, assemble
from meshflow_grpc.app.model_provider import open_provider
from meshflow_grpc.app.options import runtime_options
from meshflow_grpc.app.scanner import open_scanner
from meshflow_grpc.config import Settings
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.providers.http_caller import AllowedHttp
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.tools.builtin import BUILT_IN
from meshflow_grpc.tools.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.ports.storage import Storage

LOCAL = Principal("local", "default", method="process")


@asynccontextmanager
async def local_runtime(registry: Registry | None, ledger: str | None) -> AsyncIterator[Runtime]:
    """Opens provider and ledger as the environment names them, ``ledger`` winning over MESHFLOW_LEDGER_DB, and closes them after.

    Raises ConfigurationError, and LedgerUnavailableError when a server has the ledger's file open.
    """
    settings = Settings.load()
    storage = await open_storage(ledger or settings.ledger_db, payload_keys=settings.payload_keys)
    try:
        async with runtime_on(storage, registry, settings) as runtime:
            try:
                yield runtime
            finally:
                await runtime.engine.drain(settings.shutdown_grace_s)
    finally:
        await storage.close()


@asynccontextmanager
async def runtime_on(storage: Storage, registry: Registry | None, settings: Settings) -> AsyncIterator[Runtime]:
    """The runtime on an open ledger, under the floors of the environment; whoever opened the ledger closes it."""
    provider = await asyncio.to_thread(open_provider, settings)
    try:
        tools = (registry or Registry()).with_tools(*BUILT_IN)
        options = replace(
            runtime_options(settings), allow_inline_workflows=True, allow_webhooks=False, transport_encrypted=False
        )
        http = AllowedHttp(settings.called_hosts, trust_all=settings.env == "development")
        scanner = await asyncio.to_thread(open_scanner, settings)
        yield assemble(Outside(storage, provider, tools=tools, scanner=scanner, http=http), options)
    finally:
        await provider.close()
