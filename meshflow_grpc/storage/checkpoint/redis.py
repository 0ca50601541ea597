"""Journals in Redis: a list per run, changed by scripts that compare the position first."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.ports.checkpoint import Journal, PositionTakenError

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 10.0
# KEYS: the records since the newest snapshot, and how many were folded into it. ARGV: position, record.
_AT = """
local base = tonumber(redis.call('GET', KEYS[2]) or '0')
if base + redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
"""
_APPEND = f"{_AT}redis.call('RPUSH', KEYS[1], ARGV[2])\nreturn 1"
_REPLACE = f"{_AT}redis.call('DEL', KEYS[1])\nredis.call('RPUSH', KEYS[1], ARGV[2])\nredis.call('SET', KEYS[2], ARGV[1])\nreturn 1"
_LOAD = "return {redis.call('GET', KEYS[2]) or '0', redis.call('LRANGE', KEYS[1], 0, -1)}"


class RedisCheckpoints:
    """See ``ports.checkpoint.CheckpointStore``. Nothing expires; how durable a record is, is how Redis is configured."""

    def __init__(self, url: str) -> None:
        """Connects at first use; raises LedgerUnavailableError for what is no Redis URL."""
        try:
            self._redis: Any = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        except ValueError as error:
            raise LedgerUnavailableError(f"redis_url is not a Redis address: {error}") from error

    async def load(self, run_id: str) -> Journal:
        """See CheckpointStore."""
        base, records = cast("tuple[bytes, list[bytes]]", await self._evaluate(_LOAD, run_id))
        return Journal(int(base) + len(records), tuple(records))

    async def append(self, run_id: str, position: int, record: bytes) -> None:
        """See CheckpointStore."""
        if not await self._evaluate(_APPEND, run_id, position, record):
            raise PositionTakenError

    async def replace(self, run_id: str, position: int, snapshot: bytes) -> None:
        """See CheckpointStore."""
        if not await self._evaluate(_REPLACE, run_id, position, snapshot):
            raise PositionTakenError

    async def delete(self, run_id: str) -> bool:
        """See CheckpointStore."""
        with _translated():
            return bool(await self._redis.delete(*_keys(run_id)))

    async def close(self) -> None:
        """See CheckpointStore."""
        await self._redis.aclose()

    async def _evaluate(self, script: str, run_id: str, *arguments: int | bytes) -> object:
        with _translated():
            return await self._redis.eval(script, 2, *_keys(run_id), *arguments)


def _keys(run_id: str) -> tuple[str, str]:
    """Both keys of a run lie in one slot of a cluster."""
    return f"meshflow:{{{run_id}}}:records", f"meshflow:{{{run_id}}}:folded"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise LedgerUnavailableError(f"Redis cannot be used now: {type(error).__name__}") from error
