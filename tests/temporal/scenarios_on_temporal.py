"""Plays scenarios with Temporal as the durable engine; a process of its own, started by the test with ADDRESS and FILES.

Prints one JSON object a line: the name of a file and the trace it came to.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.system import Uuid7Ids
from meshflow_grpc.temporal.connection import TemporalAddress, connect
from meshflow_grpc.temporal.dispatch import TemporalDispatch
from meshflow_grpc.temporal.worker import RunActivities, RunWorker
from tests.scenarios.player import Scenario, Stage, play

if TYPE_CHECKING:
    from temporalio.client import Client

    from meshflow_grpc.app import Runtime
    from meshflow_grpc.ports.clock import IdSource

# A restart comes before Temporal has asked the first life once: so long it then waits for it.
HEARTBEAT_S = 1.0
# The files know runs by the first id of tests.fakes.ids.
APPROVAL = re.compile(r"apr_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
AS_IN_FILES = "apr_01900000-0000-7000-8000-000000000001"


@dataclass
class TemporalStage(Stage):
    """Each has queues of its own, so that scenarios do not take each other's runs."""

    client: Client | None = None
    queue: str = ""
    lives: int = 0
    worker: RunWorker | None = None
    working: asyncio.Task[None] | None = None

    async def begin(self) -> Runtime:
        """See Stage.begin."""
        await self.end()
        assert self.client is not None
        self.lives += 1
        creator = f"{self.queue}/{self.lives}"
        runtime = self.runtime(TemporalDispatch(self.client, self.queue, creator, HEARTBEAT_S))
        assert runtime.driver is not None
        activities = RunActivities(runtime.driver, runtime.commands.cancel_run)
        self.worker = RunWorker(self.client, self.queue, creator, activities, 100)
        self.working = asyncio.create_task(self.worker.work(5.0))
        return runtime

    def ids(self) -> IdSource:
        """See Stage.ids: all scenarios share one Temporal."""
        return Uuid7Ids()

    async def end(self) -> None:
        """See Stage.end."""
        if self.worker is not None and self.working is not None:
            self.worker.stop()
            await self.working


async def main(address: str, files: list[str]) -> None:
    """Plays them one after another, in an order that is theirs."""
    client = await connect(TemporalAddress(address, "default", "scenarios"))
    for name in files:
        file = Path(name)
        stage = TemporalStage(client=client, queue=f"scenario-{file.stem}")
        trace = [APPROVAL.sub(AS_IN_FILES, line) for line in await play(Scenario.read(file), stage)]
        print(json.dumps([file.stem, trace]), flush=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
    # All is printed; what the library does while the interpreter ends is not asked.
    sys.stdout.flush()
    os._exit(0)
