"""Journals in S3: one object per record, written only where none is yet (``If-None-Match: *``)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from meshflow_grpc.domain.errors import LedgerUnavailableError, LogInconsistentError
from meshflow_grpc.ports.checkpoint import Journal, PositionTakenError
from meshflow_grpc.storage.checkpoint.codec import is_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 10.0
PARALLEL_READS = 16
DELETE_BATCH = 1000
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class S3Checkpoints:
    """See ``ports.checkpoint.CheckpointStore``. Address and credentials are those of the AWS environment.

    Needs a store with conditional writes and strong consistency, as Amazon S3 has; one that ignores the condition is refused.
    """

    def __init__(self, bucket: str, prefix: str = "", *, endpoint_url: str | None = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._endpoint_url = endpoint_url
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._opened: Any = None
        self._reads = asyncio.Semaphore(PARALLEL_READS)

    async def load(self, run_id: str) -> Journal:
        """See CheckpointStore."""
        keys = await self._keys(run_id)
        if not keys:
            return Journal(0, ())
        records = await asyncio.gather(*(self._read(key) for key in keys))
        first = max((place for place, record in enumerate(records) if is_snapshot(record)), default=0)
        places = [_position(key) for key in keys[first:]]
        whole = places == list(range(places[0], places[0] + len(places)))
        if not whole or (places[0] and not is_snapshot(records[first])):
            raise LogInconsistentError(f"records of run {run_id!r} are missing in bucket {self._bucket!r}")
        # A process that died after writing a snapshot left what the snapshot replaces.
        await self._remove(keys[:first])
        return Journal(places[-1] + 1, tuple(records[first:]))

    async def append(self, run_id: str, position: int, record: bytes) -> None:
        """See CheckpointStore."""
        key = self._key(run_id, position)
        if position and not await self._exists(self._key(run_id, position - 1)):
            raise PositionTakenError
        await self._write(key, record)
        if not position:
            await self._check_condition(key, record)

    async def replace(self, run_id: str, position: int, snapshot: bytes) -> None:
        """See CheckpointStore."""
        await self.append(run_id, position, snapshot)
        await self._remove([key for key in await self._keys(run_id) if _position(key) < position])

    async def delete(self, run_id: str) -> bool:
        """See CheckpointStore."""
        keys = await self._keys(run_id)
        await self._remove(keys)
        return bool(keys)

    async def close(self) -> None:
        """See CheckpointStore."""
        await self._stack.aclose()
        self._opened = None

    async def _write(self, key: str, record: bytes) -> None:
        client = await self._client()
        with _translated():
            try:
                await client.put_object(Bucket=self._bucket, Key=key, Body=record, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] not in _TAKEN:
                    raise
                # A retry after a lost answer finds the record it wrote itself; records hold salts and are never the same twice.
                if await self._read(key) != record:
                    raise PositionTakenError from error

    async def _check_condition(self, key: str, record: bytes) -> None:
        client = await self._client()
        with _translated():
            try:
                await client.put_object(Bucket=self._bucket, Key=key, Body=record, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] in _TAKEN:
                    return
                raise
        raise LedgerUnavailableError(
            f"the store of bucket {self._bucket!r} ignores If-None-Match, so two processes could continue one run; use another"
        )

    async def _exists(self, key: str) -> bool:
        client = await self._client()
        with _translated():
            try:
                await client.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                raise
        return True

    async def _read(self, key: str) -> bytes:
        client = await self._client()
        async with self._reads:
            with _translated():
                answer = await client.get_object(Bucket=self._bucket, Key=key)
                async with answer["Body"] as body:
                    data: bytes = await body.read()
                    return data

    async def _keys(self, run_id: str) -> list[str]:
        """The run's keys in the order of their positions."""
        client = await self._client()
        found: list[str] = []
        with _translated():
            pages = client.get_paginator("list_objects_v2")
            async for page in pages.paginate(Bucket=self._bucket, Prefix=self._key(run_id, None)):
                found += [item["Key"] for item in page.get("Contents", ())]
        return sorted(found)

    async def _remove(self, keys: list[str]) -> None:
        client = await self._client()
        for start in range(0, len(keys), DELETE_BATCH):
            objects = [{"Key": key} for key in keys[start : start + DELETE_BATCH]]
            with _translated():
                answer = await client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise LedgerUnavailableError(f"S3 did not delete {len(answer['Errors'])} objects; try again")

    async def _client(self) -> Any:  # noqa: ANN401 - the client is made from a service description and has no type
        async with self._opening:
            if self._opened is None:
                config = AioConfig(
                    connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"mode": "standard", "max_attempts": 3}
                )
                context = get_session().create_client("s3", endpoint_url=self._endpoint_url, config=config)
                with _translated():
                    self._opened = await self._stack.enter_async_context(context)
        return self._opened

    def _key(self, run_id: str, position: int | None) -> str:
        return f"{self._prefix}{quote(run_id, safe='')}/" + ("" if position is None else f"{position:010}")


def _position(key: str) -> int:
    return int(key.rpartition("/")[2])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise LedgerUnavailableError(f"S3 refused: {error.response['Error']['Code']}") from error
    except (BotoCoreError, OSError) as error:
        raise LedgerUnavailableError(f"S3 cannot be used now: {type(error).__name__}") from error
