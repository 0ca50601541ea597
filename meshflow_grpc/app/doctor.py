"""Looks at everything a server needs before it is started, and says what is wrong and how to put it right."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from meshflow_grpc.app.authentication import open_authentication
from meshflow_grpc.app.model_provider import open_provider
from meshflow_grpc.app.temporal import connected
from meshflow_grpc.config import Settings
from meshflow_grpc.config.display import bare_url
from meshflow_grpc.config.problem import ConfigurationError
from meshflow_grpc.config.signing import key_file, log_keys
from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError
from meshflow_grpc.envoy.binary import EnvoyNotFoundError, find_envoy
from meshflow_grpc.ports.provider import ProviderError
from meshflow_grpc.storage.clock_skew import clock_skew
from meshflow_grpc.storage.factory import IN_MEMORY, file_path, is_postgres, open_storage
from meshflow_grpc.storage.mesh_registry.factory import registry_of
from meshflow_grpc.storage.mesh_registry.look import registered_nodes
from meshflow_grpc.storage.schema import schema_status
from meshflow_grpc.storage.write_access import check_write_access
from meshflow_grpc.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

LEAST_FREE_BYTES = 1 << 30
MOST_SKEW = timedelta(seconds=2)


class State(StrEnum):
    """What a check found. Only a failure keeps a server from working."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check."""

    check: str
    state: State
    detail: str
    remedy: str = ""


async def examine() -> AsyncIterator[Finding]:
    """Yields each finding as it is made; nothing that is written stays, and no paid call is made."""
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        for problem in error.problems:
            yield Finding("configuration", State.FAILED, f"{problem.variable}: {problem.what}", problem.fix)
        return
    for warning in settings.warnings():
        remedy = "" if warning in settings.tls_warnings() else "set MESHFLOW_AUTH, or listen on 127.0.0.1"
        yield Finding("configuration", State.WARNING, warning, remedy)
    yield Finding("configuration", State.OK, f"{settings.env}, ledger {bare_url(settings.ledger_db)}")
    for name, check in _CHECKS.items():
        yield await _guarded(name, check, settings)


async def _guarded(name: str, check: Callable[[Settings], Awaitable[Finding]], settings: Settings) -> Finding:
    try:
        return await check(settings)
    except (MeshflowError, ProviderError) as error:
        return Finding(name, State.FAILED, error.message, "correct it, then run `meshflow doctor` again")
    except (ConfigurationError, EnvoyNotFoundError, OSError) as error:
        return Finding(name, State.FAILED, str(error), "correct it, then run `meshflow doctor` again")


async def _database(settings: Settings) -> Finding:
    status = await schema_status(settings.ledger_db)
    if settings.ledger_db == IN_MEMORY:
        return Finding("database", State.OK, "none: the ledger is in memory")
    kind = "PostgreSQL" if is_postgres(settings.ledger_db) else "SQLite"
    return Finding("database", State.OK, f"{kind} answers, schema version {status.version}")


async def _writing(settings: Settings) -> Finding:
    try:
        return Finding("writing", State.OK, await check_write_access(settings.ledger_db))
    except LedgerUnavailableError as error:
        remedy = "let the server's user write it, or set MESHFLOW_LEDGER_DB to a place that takes writes"
        return Finding("writing", State.FAILED, error.message, remedy)


async def _migrations(settings: Settings) -> Finding:
    pending = (await schema_status(settings.ledger_db)).pending
    if not pending:
        return Finding("migrations", State.OK, "none pending")
    numbers = ", ".join(map(str, pending))
    return Finding(
        "migrations", State.WARNING, f"pending: {numbers}", "`meshflow db migrate`; a server's start does it too"
    )


async def _keys(settings: Settings) -> Finding:
    path = key_file(settings.ledger_db, settings.data_dir)
    if settings.signing_key is None and not (path and path.exists()):
        return Finding("keys", State.OK, "none yet; a development key is made at the first start")
    keys = log_keys(settings)
    signs_as = ", ".join(key.name for key in keys.signing)
    if (await schema_status(settings.ledger_db)).pending:
        return Finding("keys", State.OK, f"signs as {signs_as}; there is no signed head yet")
    storage = await open_storage(settings.ledger_db, read_only=True)
    try:
        head = await storage.newest_head()
    finally:
        await storage.close()
    if head is not None:
        keys.open(head.note, "the newest signed head in the ledger")
    return Finding("keys", State.OK, f"signs as {signs_as}")


async def _authentication(settings: Settings) -> Finding:
    try:
        await open_authentication(settings, None)
    except ValueError as error:
        return Finding("authentication", State.FAILED, str(error), "correct the file, then run `meshflow doctor` again")
    found = (
        "asks nobody for a credential"
        if settings.auth == "none"
        else f"{settings.auth}: what verifies callers can be used"
    )
    return Finding("authentication", State.OK, found)


async def _provider(settings: Settings) -> Finding:
    provider = await asyncio.to_thread(open_provider, settings)
    try:
        await provider.check()
    finally:
        await provider.close()
    state = State.WARNING if settings.mock and settings.env == "production" else State.OK
    return Finding("provider", state, f"{provider.name} answers, default model {provider.default_model}")


async def _envoy(settings: Settings) -> Finding:
    if not settings.use_envoy:
        return Finding("envoy", State.OK, "not started by this server")
    binary = find_envoy(settings.envoy)
    process = await asyncio.create_subprocess_exec(str(binary), "--version", stdout=asyncio.subprocess.PIPE)
    text = (await process.communicate())[0].decode(errors="replace").strip()
    version = text.rsplit("version: ", 1)[-1].split("/")[1:2]
    if process.returncode != 0:
        return Finding("envoy", State.FAILED, f"{binary} cannot be run", "install it anew: make setup")
    return Finding("envoy", State.OK, f"version {version[0] if version else text}")


async def _clock(settings: Settings) -> Finding:
    skew = await clock_skew(settings.ledger_db)
    if abs(skew) <= MOST_SKEW:
        return Finding("clock", State.OK, f"{skew.total_seconds():+.1f} s against the ledger")
    detail = f"this machine's clock is {skew.total_seconds():+.1f} s off against the ledger"
    return Finding("clock", State.WARNING, detail, "synchronise the clock (NTP): entries would bear wrong times")


async def _disk(settings: Settings) -> Finding:
    postgres = is_postgres(settings.ledger_db)
    place = (settings.data_dir if postgres else file_path(settings.ledger_db).parent).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free at {place}"
    if free >= LEAST_FREE_BYTES:
        return Finding("disk", State.OK, detail)
    return Finding(
        "disk", State.WARNING if postgres else State.FAILED, detail, "free at least 1 GiB: a full disk stops all runs"
    )


async def _mesh(settings: Settings) -> Finding:
    if settings.mesh_slug is None:
        return Finding("mesh", State.OK, "this server is no node: MESHFLOW_MESH_SLUG is not set")
    where = registry_of(settings.mesh_registry, settings.ledger_db)
    if where == IN_MEMORY:
        detail = f"{settings.mesh_slug} is registered in this server's memory, where no other node finds it"
        return Finding("mesh", State.WARNING, detail, "set MESHFLOW_MESH_REGISTRY to what all nodes share")
    nodes = await registered_nodes(where)
    if nodes is None:
        return Finding("mesh", State.OK, f"the registry {bare_url(where)} is not there yet; the first node makes it")
    now = datetime.fromisoformat(SystemClock().now())
    heard = {
        each.slug
        for each in nodes
        if abs((now - datetime.fromisoformat(each.heartbeat_at)).total_seconds()) <= each.ttl_s
    }
    detail = f"the registry {bare_url(where)} answers; of {len(nodes)} nodes heard of in time: "
    return Finding("mesh", State.OK, detail + (", ".join(sorted(heard)) or "none"))


async def _temporal(settings: Settings) -> Finding:
    if settings.engine == "local":
        return Finding("temporal", State.OK, "not used: MESHFLOW_ENGINE is local")
    await connected(settings)
    where = f"{settings.temporal_address}, namespace {settings.temporal_namespace}"
    return Finding("temporal", State.OK, f"{where}, answers; the queue is {settings.temporal_task_queue}")


_CHECKS: dict[str, Callable[[Settings], Awaitable[Finding]]] = {
    "database": _database,
    "writing": _writing,
    "migrations": _migrations,
    "keys": _keys,
    "authentication": _authentication,
    "provider": _provider,
    "envoy": _envoy,
    "mesh": _mesh,
    "temporal": _temporal,
    "clock": _clock,
    "disk": _disk,
}
