"""How long to wait before another attempt, and how long an attempt may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState

BACKOFF_S = 0.2
BACKOFF_MAX_S = 10.0


def pause_s(attempt: int, ports: KernelPorts, retry_after_s: float | None = None) -> float:
    """Exponential back-off with jitter, at least what the other side asks for."""
    back_off: float = min(BACKOFF_S * 2 ** (attempt - 1), BACKOFF_MAX_S) * (0.5 + ports.jitter())
    return max(back_off, retry_after_s or 0.0)


def attempt_timeout_s(state: StepState, own: float = 0.0) -> float:
    """The shortest of the limits that are set; 0 = none."""
    limits = (own, state.step.run.policy.step_timeout_s, state.step.node.timeout_s)
    return min([limit for limit in limits if limit > 0], default=0.0) if any(limits) else 0.0


def retries_of(state: StepState) -> int:
    """Attempts after the first."""
    own = state.step.node.max_retries
    return state.step.run.policy.circuit_breaker.max_retries if own is None else own
