"""Run: executes and waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import DeadlineExceededError, StoppedError
from meshflow_grpc.domain.node_token import NODE_METHOD
from meshflow_grpc.domain.run import CancelReason, OnDisconnect

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, Run, RunRequest
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.gates import Gates


class RunCommand:
    """Executes a run for a caller who waits for it."""

    def __init__(self, engine: Engine, gates: Gates) -> None:
        self._engine = engine
        self._gates = gates

    async def execute(self, principal: Principal, request: RunRequest, *, deadline_s: float | None = None) -> Run:
        """Returns the run when it has ended or waits for a human.

        When the caller goes away (this coroutine is cancelled) the run is cancelled, unless the request says ``continue``.
        """
        admitted = await self._engine.admit(principal, request)
        loop = asyncio.get_running_loop()
        deadline = None if deadline_s is None else loop.time() + deadline_s
        run_id = self._engine.new_run_id()
        active = self._engine.start(admitted, run_id)
        try:
            async with asyncio.timeout(None if deadline_s is None else answer_within(deadline_s, principal)):
                return await self._gates.with_pending(await asyncio.shield(active.done))
        except StoppedError as error:
            error.metadata["run_id"] = run_id
            # Made again, on whichever server, it attaches to this run.
            error.retry_elsewhere = request.request_id is not None
            raise
        except TimeoutError:
            if request.on_disconnect is OnDisconnect.CANCEL:
                active.cancel(CancelReason.DEADLINE)
            raise DeadlineExceededError("the deadline of the call passed", metadata={"run_id": run_id}) from None
        except asyncio.CancelledError:
            if request.on_disconnect is OnDisconnect.CANCEL:
                active.cancel(gone_because(deadline, loop.time()))
            raise


# A caller whose deadline is this close when the call is cancelled ran out of time; the two cannot be told apart more exactly.
DEADLINE_SLACK_S = 0.05
# The part of a node's deadline after which it is told that the run goes on.
NODE_SHARE = 0.5


def answer_within(deadline_s: float, principal: Principal) -> float:
    """How long to work on an answer: a little less than the deadline, so that a typed refusal still reaches the caller.

    A node waits on once it knows the run, and takes silence for a loss: far away or on a busy machine it has to hear in time.
    """
    if principal.method == NODE_METHOD:
        return deadline_s * NODE_SHARE
    return deadline_s - min(DEADLINE_SLACK_S, deadline_s / 10)


def gone_because(deadline: float | None, now: float) -> CancelReason:
    """Why a caller's call was cancelled: its deadline passed, or it disconnected."""
    late = deadline is not None and now >= deadline - DEADLINE_SLACK_S
    return CancelReason.DEADLINE if late else CancelReason.DISCONNECT
