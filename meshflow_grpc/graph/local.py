"""The governed runtime inside the caller's process, for as long as one call takes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import structlog

from meshflow_grpc.app import Outside, Runtime, assemble
from meshflow_grpc.app.model_provider import open_provider
from meshflow_grpc.app.options import runtime_options
from meshflow_grpc.app.scanner import open_scanner
from meshflow_grpc.config import Settings
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.providers.http_caller import AllowedHttp
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.telemetry.logging import configure_logging
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
    async with (
        _shared_ledger(ledger or settings.ledger_db, settings) as storage,
        runtime_on(storage, registry, settings) as runtime,
    ):
        try:
            yield runtime
        finally:
            await runtime.engine.drain(settings.shutdown_grace_s)


class _OpenLedger:
    """A ledger while calls of one event loop use it."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
        self.storage: Storage | None = None


_ledgers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _OpenLedger]] = WeakKeyDictionary()


@asynccontextmanager
async def _shared_ledger(url: str, settings: Settings) -> AsyncIterator[Storage]:
    """The ledger of all calls under way in this event loop: opened by the first, since it has one writer, and closed by the last."""
    opened = _ledgers.setdefault(asyncio.get_running_loop(), {}).setdefault(url, _OpenLedger())
    opened.users += 1
    try:
        async with opened.lock:
            if opened.storage is None:
                opened.storage = await open_storage(url, payload_keys=settings.payload_keys)
        yield opened.storage
    finally:
        opened.users -= 1
        async with opened.lock:
            if not opened.users and opened.storage is not None:
                closing, opened.storage = opened.storage, None
                await closing.close()


@asynccontextmanager
async def runtime_on(storage: Storage, registry: Registry | None, settings: Settings) -> AsyncIterator[Runtime]:
    """The runtime on an open ledger, under the floors of the environment; whoever opened the ledger closes it."""
    _quiet_unless_asked(settings)
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


def _quiet_unless_asked(settings: Settings) -> None:
    """Without a word of the application's own on logs: warnings and worse on stderr, or from MESHFLOW_LOG_LEVEL up.

    What structlog does by itself is no default for a library: everything on stdout, and tracebacks with the values of every variable.
    """
    if not structlog.is_configured():
        asked = "log_level" in settings.model_fields_set
        configure_logging(settings.log_level if asked else "warning", "console")
