"""ForkRun: a new run that goes on from a point of an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.fork import NewFork, fork_of
from meshflow_grpc.engine.run_entries import run_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.run import Principal, Run
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.fork import ForkPoint
    from meshflow_grpc.governance.reauthentication import Reauthentication
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage


MAX_ID_CHARS = 128


class ForkRunCommand:
    """Forks a run of the caller's tenant."""

    def __init__(self, engine: Engine, storage: Storage, clock: Clock, reauthentication: Reauthentication) -> None:
        self._reauthentication = reauthentication
        self._engine = engine
        self._storage = storage
        self._clock = clock

    async def execute(self, principal: Principal, run_id: str, point: ForkPoint, *, request_id: str = "") -> Run:
        """Returns the new run as soon as its start is durable; with a request id, the one that the same request made before.

        Raises RunNotFoundError, RequestIdReusedError, ReauthenticationRequiredError and what fork_of and start_fork raise.
        """
        if len(request_id) > MAX_ID_CHARS or not request_id.isprintable():
            text = f"must have at most {MAX_ID_CHARS} printable characters"
            raise InvalidRequestError.of(FieldViolation("request_id", text))
        parent = await self._storage.get_run(principal.tenant_id, run_id)
        entries = await run_entries(self._storage, principal.tenant_id, run_id)
        now = self._clock.now()
        profiles = cast("Sequence[str]", parent.policy.get("compliance", ()))
        actor = self._reauthentication.actor(principal, profiles, now)
        new = NewFork(self._engine.new_run_id(), now, request_id or None, actor)
        return await self._engine.start_fork(fork_of(parent, entries, point, new, principal))
