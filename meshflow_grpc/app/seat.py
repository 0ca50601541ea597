"""The place of one of several workers: where it listens, and how its supervisor hears of it."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from meshflow_grpc.engine.server_state import ServerState

EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Seat:
    """What a supervisor tells a worker. ``settings`` are those of the command line, which win over the environment."""

    index: int
    # gRPC address: a Unix socket behind the Envoy of all, or host:port shared with the others.
    grpc: str
    # Descriptor of the pipe to the supervisor.
    report: int
    settings: dict[str, Any]
    # What Envoy sends beside certificates that it forwards.
    proof: str | None = field(default=None, repr=False)

    def text(self) -> str:
        """As the worker reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Seat:
        """Reads what ``text`` wrote."""
        return cls(**json.loads(text))

    def tell(self, state: ServerState) -> None:
        """Tells the supervisor; without one there is nobody to tell."""
        line = json.dumps({"ready": state.ready, "started": state.started, "ledger_reachable": state.ledger_reachable})
        with suppress(OSError):
            os.write(self.report, f"{line}\n".encode())

    async def keep_telling(self, state: ServerState) -> None:
        """Tells it every second, until cancelled: a worker that says nothing hangs."""
        while True:
            self.tell(state)
            await asyncio.sleep(EVERY_S)
