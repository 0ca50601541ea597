"""Shows a run's progress on stderr while it happens: live on a terminal, a line per event elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol, Self

from meshflow_grpc.cli.output import printable, stderr_console

if TYPE_CHECKING:
    from types import TracebackType

    from rich.spinner import Spinner

    from meshflow_grpc.client.messages import RunEvent

_REASON_CHARS = 300


class Progress(Protocol):
    """Shows events as they come; a context manager that leaves the terminal as it was."""

    @property
    def event_view(self) -> str:
        """The view of the run's events this display needs."""
        ...

    def show(self, event: RunEvent) -> None:
        """Shows one event."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def progress_display() -> Progress:
    """Chooses the display that suits stderr."""
    return LiveProgress() if sys.stderr.isatty() else LineProgress()


def event_line(event: RunEvent) -> str:
    """Tells an event in one line."""
    loop = f"{event.loop.edge} {event.loop.iteration}/{event.loop.max}" if event.HasField("loop") else ""
    figures = (
        event.role if event.role != event.node_id else "",
        event.status,
        f"{event.tokens:,} tokens" if event.HasField("tokens") else "",
        f"${event.cost_usd:.6f}" if event.HasField("cost_usd") else "",
        f"{event.carbon_g:.3f} g CO2e" if event.HasField("carbon_g") else "",
        f"uncertainty {event.uncertainty:.2f}" if event.HasField("uncertainty") else "",
        f"stage {event.blocked_by}" if event.blocked_by else "",
        event.reason[:_REASON_CHARS],
    )
    subject = loop or event.node_id or event.agent_id or event.run_id
    told = " · ".join(figure for figure in figures if figure)
    return printable(f"{event.event_type:<17} {subject:<14} {told}".rstrip()).replace("\n", " ")


class LineProgress:
    """A line per event, without colour or movement."""

    event_view = "basic"

    def show(self, event: RunEvent) -> None:
        """Writes the event's line."""
        sys.stderr.write(event_line(event) + "\n")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class LiveProgress:
    """A line per event above a status that tells which nodes work and what was spent."""

    event_view = "full"

    def __init__(self) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self._started = time.monotonic()
        self._working: list[str] = []
        self._tokens = 0
        self._cost_usd = 0.0
        self._console = stderr_console()
        self._spinner = Spinner("dots")
        self._live = Live(console=self._console, get_renderable=self._status, refresh_per_second=10, transient=True)

    def show(self, event: RunEvent) -> None:
        """Prints what happened and counts what was spent."""
        if event.event_type == "node_started":
            self._working.append(event.node_id)
        elif event.event_type in {"agent_completed", "node_completed"} and event.node_id in self._working:
            self._working.remove(event.node_id)
        if event.event_type == "agent_completed":
            self._tokens += event.tokens
            self._cost_usd += event.cost_usd
        if event.event_type not in {"node_started", "node_completed", "stage_decided", "token_delta"}:
            from rich.text import Text

            self._console.print(Text(event_line(event), _style(event)))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _status(self) -> Spinner:
        from rich.text import Text

        working = printable(", ".join(self._working)) or "working"
        elapsed = time.monotonic() - self._started
        text = f"{working} · {self._tokens:,} tokens · ${self._cost_usd:.6f} · {elapsed:.1f} s"
        self._spinner.update(text=Text(text))
        return self._spinner


def _style(event: RunEvent) -> str:
    match event.event_type:
        case "policy_violation":
            return "red"
        case "gate_paused" | "gate_resumed" | "loop_iteration":
            return "yellow"
        case "run_completed":
            return "green" if event.status == "completed" else "red"
        case _:
            return ""
