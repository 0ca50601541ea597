"""The runs this process executes, and how many more it takes: in all, of one tenant, and how fast."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import AdmissionLimitError, DrainingError, RateLimitedError
from meshflow_grpc.engine.active_run import ActiveRun
from meshflow_grpc.governance.rate_limit import RateLimiter

if TYPE_CHECKING:
    from meshflow_grpc.engine.server_state import ServerState
    from meshflow_grpc.ports.clock import Clock

RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Bounds of runs in flight, in all and per tenant, and of starts a second per tenant; None is no bound of its own."""

    in_flight: int = 1024
    tenant_in_flight: int | None = None
    tenant_starts_per_s: float | None = None


class ActiveRuns:
    """By run id. Single-threaded: a check and the run it lets in belong in one step of the event loop."""

    def __init__(self, limits: RunLimits, state: ServerState, clock: Clock) -> None:
        self._limits = limits
        self._state = state
        self._clock = clock
        self._runs: dict[str, ActiveRun] = {}
        self._of_tenant: Counter[str] = Counter()
        rate = limits.tenant_starts_per_s
        self._starts = None if rate is None else RateLimiter(rate, max(1, int(rate)))

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    @property
    def ids(self) -> tuple[str, ...]:
        """The runs, the one begun first first."""
        return tuple(self._runs)

    @property
    def room(self) -> int:
        """How many runs may be taken up from elsewhere."""
        return 0 if self._state.draining else max(0, self._limits.in_flight - len(self._runs))

    def get(self, run_id: str) -> ActiveRun | None:
        """The run if it is executed here."""
        return self._runs.get(run_id)

    def leave_off(self) -> None:
        """Lets none of them take more steps here after those under way."""
        for active in self._runs.values():
            active.leave_off()

    def add(self, run_id: str, tenant_id: str) -> ActiveRun:
        """A new one under the id, in place of an earlier one."""
        if run_id not in self._runs:
            self._of_tenant[tenant_id] += 1
        active = self._runs[run_id] = ActiveRun(run_id, tenant_id)
        return active

    def remove(self, active: ActiveRun) -> None:
        """Takes it out, unless another one is under its id."""
        if self._runs.get(active.run_id) is active:
            del self._runs[active.run_id]
            self._of_tenant[active.tenant_id] -= 1
            if not self._of_tenant[active.tenant_id]:
                del self._of_tenant[active.tenant_id]

    def check_room(self, tenant_id: str) -> None:
        """Raises DrainingError, AdmissionLimitError or RateLimitedError, each with when to try again, when no run may start now."""
        if self._state.draining:
            raise DrainingError("the server is draining; retry on another replica", retry_after_s=RETRY_AFTER_S)
        limits = self._limits
        if len(self._runs) >= limits.in_flight:
            raise _full(limits.in_flight, "this server takes (MESHFLOW_MAX_IN_FLIGHT_RUNS)")
        most = limits.tenant_in_flight
        if most is not None and self._of_tenant[tenant_id] >= most:
            raise _full(most, "it takes of one tenant (MESHFLOW_TENANT_MAX_IN_FLIGHT_RUNS)")
        wait = 0.0 if self._starts is None else self._starts.admit(tenant_id, self._clock.monotonic())
        if wait:
            rate = limits.tenant_starts_per_s
            raise RateLimitedError(
                f"more than {rate:g} runs a second, the most a tenant may start here (MESHFLOW_TENANT_RUNS_PER_S)",
                metadata={"limit": f"{rate:g}"},
                retry_after_s=wait,
            )


def _full(limit: int, what: str) -> AdmissionLimitError:
    text = f"{limit} runs are in flight, the most {what}"
    return AdmissionLimitError(text, metadata={"limit": str(limit)}, retry_after_s=RETRY_AFTER_S)
