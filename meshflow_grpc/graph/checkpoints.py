"""Where a durable run is kept: a ledger database, or a checkpoint store that holds this run alone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from meshflow_grpc.config import load_ledger_settings
from meshflow_grpc.storage.checkpoint.memory import MemoryCheckpoints
from meshflow_grpc.storage.checkpoint.storage import CheckpointedStorage
from meshflow_grpc.storage.factory import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from meshflow_grpc.ports.checkpoint import CheckpointStore
    from meshflow_grpc.ports.storage import Storage

BACKENDS = ("sqlite", "memory", "redis", "postgres", "s3")
_SHARED = MemoryCheckpoints()


class RunKeeper(Protocol):
    """Opens the store that has a run, and forgets a run that has ended."""

    @property
    def keeps_chains(self) -> bool:
        """Whether it is a ledger, which never forgets a run."""
        ...

    def opened(self, run_id: str, *, read_only: bool = False) -> AbstractAsyncContextManager[Storage]:
        """The store, closed afterwards; raises LedgerUnavailableError."""
        ...

    async def forget(self, run_id: str) -> bool:
        """Removes everything of the run, unless ``keeps_chains``; returns whether it did."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerKeeper:
    """A ledger database, as a server uses it; None: the one the environment names."""

    url: str | None
    keeps_chains: ClassVar[bool] = True

    @asynccontextmanager
    async def opened(self, run_id: str, *, read_only: bool = False) -> AsyncIterator[Storage]:
        """See RunKeeper."""
        settings = load_ledger_settings(ledger_db=self.url)
        url = settings.ledger_db
        # A file that is not there yet is an empty ledger; reading makes none.
        absent = read_only and await asyncio.to_thread(_no_file, url)
        storage = await open_storage(
            "memory:" if absent else url,
            read_only=read_only and not absent,
            pool_min=1,
            payload_keys=settings.payload_keys,
            only_run=run_id,
        )
        try:
            yield storage
        finally:
            await storage.close()

    async def forget(self, run_id: str) -> bool:
        """See RunKeeper: a ledger keeps its chains."""
        del run_id
        return False


@dataclass(frozen=True, slots=True)
class CheckpointKeeper:
    """A checkpoint store, opened anew for each call, because clients belong to the event loop they were made in."""

    store: Callable[[], CheckpointStore]
    keeps_chains: ClassVar[bool] = False

    @asynccontextmanager
    async def opened(self, run_id: str, *, read_only: bool = False) -> AsyncIterator[Storage]:
        """See RunKeeper."""
        del read_only
        store = self.store()
        try:
            keys = load_ledger_settings().payload_keys
            yield await CheckpointedStorage.open(store, run_id, keys)
        finally:
            await store.close()

    async def forget(self, run_id: str) -> bool:
        """See RunKeeper."""
        store = self.store()
        try:
            return await store.delete(run_id)
        finally:
            await store.close()


def keeper_of(
    backend: str,
    *,
    db_path: str | None,
    redis_url: str | None,
    postgres_url: str | None,
    s3_bucket: str | None,
    s3_prefix: str,
) -> RunKeeper:
    """The keeper a backend's name and address mean. Raises ValueError for unknown names and for addresses missing or of others."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, not {backend!r}")
    given = {"db_path": db_path, "redis_url": redis_url, "postgres_url": postgres_url, "s3_bucket": s3_bucket}
    needed = {"sqlite": "db_path", "redis": "redis_url", "postgres": "postgres_url", "s3": "s3_bucket"}.get(backend)
    for name, value in given.items():
        if value and name != needed:
            raise ValueError(f"{name} is not of backend {backend!r}")
    if backend != "sqlite" and needed is not None and not given[needed]:
        raise ValueError(f"backend {backend!r} needs {needed}")
    if s3_prefix and backend != "s3":
        raise ValueError(f"s3_prefix is not of backend {backend!r}")
    return _keeper(backend, db_path or postgres_url, redis_url or "", (s3_bucket or "", s3_prefix))


def _keeper(backend: str, ledger: str | None, redis_url: str, s3: tuple[str, str]) -> RunKeeper:
    if backend in ("sqlite", "postgres"):
        return LedgerKeeper(ledger)
    if backend == "memory":
        return CheckpointKeeper(lambda: _SHARED)
    if backend == "redis":
        return CheckpointKeeper(lambda: _redis(redis_url))
    return CheckpointKeeper(lambda: _s3(*s3))


def _redis(url: str) -> CheckpointStore:
    try:
        from meshflow_grpc.storage.checkpoint.redis import RedisCheckpoints
    except ImportError as error:
        raise ImportError("backend 'redis' needs the extra: pip install 'meshflow-grpc[redis]'") from error
    return RedisCheckpoints(url)


def _s3(bucket: str, prefix: str) -> CheckpointStore:
    try:
        from meshflow_grpc.storage.checkpoint.s3 import S3Checkpoints
    except ImportError as error:
        raise ImportError("backend 's3' needs the extra: pip install 'meshflow-grpc[s3]'") from error
    return S3Checkpoints(bucket, prefix)


def _no_file(url: str) -> bool:
    return "://" not in url and not Path(url).expanduser().exists()
