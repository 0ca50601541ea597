"""What ports.checkpoint.CheckpointStore promises, of every store: the process's memory, Redis and S3."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.ports.checkpoint import CheckpointStore, Journal, PositionTakenError
from meshflow_grpc.storage.checkpoint.memory import MemoryCheckpoints
from meshflow_grpc.storage.checkpoint.redis import RedisCheckpoints
from meshflow_grpc.storage.checkpoint.s3 import S3Checkpoints
from tests.redis_server import RedisServer
from tests.s3_gateway import S3Gateway

pytestmark = pytest.mark.timeout(600)  # the first use builds the S3 server
BINARY = bytes(range(256))
SNAPSHOT = b'{"snapshot":true}'
Opener = Callable[[], CheckpointStore]


@pytest.fixture(
    params=["memory", pytest.param("redis", marks=pytest.mark.redis), pytest.param("s3", marks=pytest.mark.s3)]
)
async def opener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opener]:
    """Opens the same store again and again, as processes after one another and beside one another do."""
    opened: list[CheckpointStore] = []
    if request.param == "memory":
        only = MemoryCheckpoints()
        make: Opener = lambda: only  # noqa: E731 - three ways to open a store, side by side
    elif request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        make = lambda: RedisCheckpoints(server.url)  # noqa: E731
    else:
        gateway: S3Gateway = request.getfixturevalue("s3")
        for name, value in gateway.environment.items():
            monkeypatch.setenv(name, value)
        bucket = gateway.new_bucket()
        make = lambda: S3Checkpoints(bucket, "runs")  # noqa: E731

    def open_one() -> CheckpointStore:
        opened.append(make())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def run_id() -> str:
    """A run that no other test uses."""
    return f"run-{secrets.token_hex(6)}"


async def _wins(attempt: Awaitable[None]) -> bool:
    try:
        await attempt
    except PositionTakenError:
        return False
    return True


async def test_records_are_read_back_in_order_by_another_process(opener: Opener, run_id: str) -> None:
    """Bytes of any kind come back unchanged; the next position follows."""
    writer = opener()
    await writer.append(run_id, 0, BINARY)
    await writer.append(run_id, 1, b"second")

    journal = await opener().load(run_id)

    assert (journal.position, tuple(journal.records)) == (2, (BINARY, b"second"))


async def test_an_unknown_run_is_an_empty_journal(opener: Opener, run_id: str) -> None:
    """Nothing is made by looking."""
    journal = await opener().load(run_id)
    assert (journal.position, tuple(journal.records)) == (0, ())
    assert not await opener().delete(run_id)


@pytest.mark.parametrize("position", [0, 2, 7])
async def test_a_record_goes_to_the_next_position_only(opener: Opener, run_id: str, position: int) -> None:
    """A position that is taken or lies ahead is refused, for records and snapshots, and nothing is kept."""
    store = opener()
    await store.append(run_id, 0, b"first")

    assert not await _wins(store.append(run_id, position, b"no"))
    assert not await _wins(store.replace(run_id, position, SNAPSHOT))
    assert tuple((await store.load(run_id)).records) == (b"first",)


async def test_exactly_one_of_many_writers_gets_a_position(opener: Opener, run_id: str) -> None:
    """Twelve writers through four clients: one wins, and its record is the one that is there."""
    stores = [opener() for _ in range(4)]
    await stores[0].append(run_id, 0, b"first")

    won = await asyncio.gather(*(_wins(stores[n % 4].append(run_id, 1, b"writer %d" % n)) for n in range(12)))

    assert won.count(True) == 1
    assert tuple((await opener().load(run_id)).records) == (b"first", b"writer %d" % won.index(True))


async def test_a_snapshot_replaces_what_was_before_it(opener: Opener, run_id: str) -> None:
    """Positions go on after it, and a late writer of the old position is refused."""
    store = opener()
    for position in range(3):
        await store.append(run_id, position, b"old")
    await store.replace(run_id, 3, SNAPSHOT)

    assert await store.load(run_id) == Journal(4, (SNAPSHOT,))
    assert not await _wins(store.append(run_id, 3, b"late"))
    await store.append(run_id, 4, b"new")
    journal = await opener().load(run_id)
    assert (journal.position, tuple(journal.records)) == (5, (SNAPSHOT, b"new"))


async def test_runs_do_not_mix(opener: Opener, run_id: str) -> None:
    """Ids that begin with one another, or hold separators, are different runs."""
    store = opener()
    ids = [run_id, f"{run_id}0", f"{run_id}/0", f"{run_id}}}:records"]
    for each in ids:
        await store.append(each, 0, each.encode())

    assert await store.delete(run_id)

    assert not (await store.load(run_id)).records
    for each in ids[1:]:
        assert tuple((await store.load(each)).records) == (each.encode(),)


async def test_a_deleted_run_begins_at_zero_again(opener: Opener, run_id: str) -> None:
    """Nothing of it is left, whether or not it had a snapshot."""
    store = opener()
    await store.append(run_id, 0, b"first")
    await store.replace(run_id, 1, SNAPSHOT)

    assert await store.delete(run_id)

    await store.append(run_id, 0, b"anew")
    journal = await opener().load(run_id)
    assert (journal.position, tuple(journal.records)) == (1, (b"anew",))


@pytest.mark.redis
async def test_redis_keeps_what_it_took_over_a_kill(redis: RedisServer, run_id: str) -> None:
    """While it is away calls fail as unavailable; afterwards every record is there."""
    store = RedisCheckpoints(redis.url)
    await store.append(run_id, 0, b"first")
    redis.kill()
    try:
        with pytest.raises(LedgerUnavailableError):
            await store.append(run_id, 1, b"second")
    finally:
        redis.start()

    assert tuple((await store.load(run_id)).records) == (b"first",)
    await store.close()


@pytest.mark.s3
async def test_s3_removes_what_an_interrupted_snapshot_left(
    s3: S3Gateway, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process died between the snapshot and the removal: the next one reads the snapshot and removes the rest."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3.new_bucket()
    store = S3Checkpoints(bucket)
    for position, record in enumerate((b"secret", b"old", SNAPSHOT, b"new")):
        await store.append(run_id, position, record)

    journal = await store.load(run_id)

    assert (journal.position, tuple(journal.records)) == (4, (SNAPSHOT, b"new"))
    assert [path.name for path in s3.files(bucket)] == ["0000000002", "0000000003"]
    await store.close()


@pytest.mark.s3
async def test_s3_without_its_bucket_is_unavailable(
    s3: S3Gateway, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what S3 said and holds no secret."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    store = S3Checkpoints("not-there")
    with pytest.raises(LedgerUnavailableError, match="NoSuchBucket"):
        await store.load(run_id)
    await store.close()
