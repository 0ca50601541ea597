"""Where the work of a run is traced: one span per workflow, step and model call. Tracing never blocks and never raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.domain.workflow import Node


class Span(Protocol):
    """Work under way. An exception that leaves it is noted by its type alone."""

    def ended(self, outcome: str, usage: Usage, reason: str | None = None) -> None:
        """Says how the work ended, and what it used."""
        ...


class Tracer(Protocol):
    """Opens spans; what is done inside them becomes their children."""

    def workflow(self, run: Run) -> AbstractContextManager[Span]:
        """The execution of a run by this process."""
        ...

    def step(self, run_id: str, node: Node, step_id: str, tool: str | None) -> AbstractContextManager[Span]:
        """One governed step; ``tool`` is the name of what it calls, of tool steps."""
        ...

    def model_call(self, model: str, attempt: int) -> AbstractContextManager[Span]:
        """One attempt of a call to a model."""
        ...

    def traceparent(self) -> str | None:
        """The span around the caller as W3C trace context; None when nothing is traced."""
        ...


class _NoSpan:
    def __enter__(self) -> Span:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to end."""

    def ended(self, outcome: str, usage: Usage, reason: str | None = None) -> None:
        """Nothing to note."""


class NoTracer:
    """Traces nothing, at next to no cost."""

    _span = _NoSpan()

    def workflow(self, run: Run) -> AbstractContextManager[Span]:
        """See Tracer."""
        return self._span

    def step(self, run_id: str, node: Node, step_id: str, tool: str | None) -> AbstractContextManager[Span]:
        """See Tracer."""
        return self._span

    def model_call(self, model: str, attempt: int) -> AbstractContextManager[Span]:
        """See Tracer."""
        return self._span

    def traceparent(self) -> str | None:
        """See Tracer."""
        return None
