"""A process that executes a durable run is killed; another one takes the run up."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc import DurableWorkflowExecutor
from meshflow_grpc.domain.errors import LogInconsistentError
from meshflow_grpc.storage.checkpoint.redis import RedisCheckpoints
from tests.crash.durable_child import chain, registry
from tests.redis_server import RedisServer
from tests.s3_gateway import S3Gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).parent / "durable_child.py"


@pytest.fixture(
    params=["sqlite", pytest.param("redis", marks=pytest.mark.redis), pytest.param("s3", marks=pytest.mark.s3)]
)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, dict[str, Any]]:
    """Backend and arguments, the same for child and parent."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        return "redis", {"redis_url": server.url}
    if request.param == "s3":
        gateway: S3Gateway = request.getfixturevalue("s3")
        for name, value in gateway.environment.items():
            monkeypatch.setenv(name, value)
        return "s3", {"s3_bucket": gateway.new_bucket()}
    return "sqlite", {"db_path": str(tmp_path / "runs.db")}


def _status_of(command: list[str], directory: Path) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, cwd=directory, timeout=280).returncode


async def test_a_killed_run_goes_on_elsewhere(place: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    """Each tool acted once, and the run ends."""
    backend, arguments = place
    run_id, effects = f"killed-{secrets.token_hex(6)}", tmp_path / "effects"
    command = [sys.executable, str(CHILD), run_id, backend, json.dumps(arguments), str(effects)]
    assert await asyncio.to_thread(_status_of, command, tmp_path) == -signal.SIGKILL
    assert effects.read_text() == "first\n"

    executor = DurableWorkflowExecutor(run_id, backend, registry=registry(effects, kills=False), **arguments)
    assert (await executor.status()).status == "running"
    result = await executor.run(chain(), "go")

    assert (result.status, effects.read_text()) == ("completed", "first\nsecond\n")


@pytest.mark.redis
async def test_a_checkpoint_that_was_changed_is_refused(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One word of an output edited in Redis: the chain does not verify, and nothing is executed on it."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    run_id = f"edited-{secrets.token_hex(6)}"
    tools = registry(tmp_path / "effects", kills=False)
    await DurableWorkflowExecutor(run_id, "redis", redis_url=redis.url, registry=tools).run(chain(), "go")
    store = RedisCheckpoints(redis.url)
    journal = await store.load(run_id)
    await store.delete(run_id)
    for position, record in enumerate(journal.records):
        await store.append(
            run_id, position, record.replace(b'{\\"output\\":\\"first\\"}', b'{\\"output\\":\\"fifth\\"}')
        )
    await store.close()

    with pytest.raises(LogInconsistentError, match="was changed: entry"):
        await DurableWorkflowExecutor(run_id, "redis", redis_url=redis.url, registry=tools).resume()
