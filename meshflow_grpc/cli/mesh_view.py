"""Nodes of the mesh and their changes, for people."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from meshflow_grpc.cli.output import printable, stdout_console, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from rich.console import Group
    from rich.live import Live

    from meshflow_grpc.client.messages import MeshChange, MeshNode

HEADINGS = (
    "NODE",
    "STATE",
    "HEALTH",
    "BREAKER",
    "CALLS",
    "ERRORS",
    "MEAN",
    "P50",
    "P99",
    "SENT",
    "RECEIVED",
    "TAKES",
    "ENDPOINTS",
)
_SHOWN_CHANGES = 10
_KILO = 1024
_STYLES = {"gone": "dim", "unhealthy": "red", "open": "red", "half_open": "yellow", "healthy": "green"}


def node_row(node: MeshNode) -> tuple[str, ...]:
    """A node as cells under ``HEADINGS``."""
    metrics = node.metrics
    called = metrics.requests > 0
    return (
        node.slug,
        "live" if node.live else "gone",
        node.health,
        node.breaker,
        f"{metrics.requests:,}",
        f"{metrics.error_rate:.1%}" if called else "-",
        *(_milliseconds(each) if called else "-" for each in (metrics.mean_ms, metrics.p50_ms, metrics.p99_ms)),
        _size(metrics.bytes_sent),
        _size(metrics.bytes_received),
        ", ".join(f"{each.name}:{each.priority}" for each in node.concerns) or "-",
        ", ".join(node.endpoints),
    )


def change_line(change: MeshChange) -> str:
    """A change in one line."""
    time_of_day = change.time.ToDatetime().strftime("%H:%M:%S")
    return printable(
        f"{change.sequence:>5}  {time_of_day}  {change.kind:<17} {change.slug:<16} {change.detail}".rstrip()
    )


class MeshTop:
    """Nodes above the latest changes: in place on a terminal, one after the other in a pipe."""

    def __init__(self, interval_s: float) -> None:
        self.changes: deque[MeshChange] = deque(maxlen=_SHOWN_CHANGES)
        self._interval_s = interval_s
        self._calls: dict[str, tuple[float, int]] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(console=stdout_console(), screen=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, nodes: Iterable[MeshNode]) -> None:
        """Shows the nodes as they stand, with calls a second since the last look."""
        rows = [(*node_row(node), self._rate(node)) for node in nodes]
        if self._live is None:
            write_table((*HEADINGS, "CALLS/S"), rows)
            return
        self._live.update(self._picture(rows), refresh=True)

    def _rate(self, node: MeshNode) -> str:
        now, requests = time.monotonic(), node.metrics.requests
        before, earlier = self._calls.get(node.node_id, (now, requests))
        self._calls[node.node_id] = (now, requests)
        return f"{(requests - earlier) / (now - before):.1f}" if now > before else "-"

    def _picture(self, rows: list[tuple[str, ...]]) -> Group:
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", title=f"mesh, every {self._interval_s:g} s"
        )
        for heading in (*HEADINGS, "CALLS/S"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell), _STYLES.get(cell, "")) for cell in row))
        return Group(table, *(Text(change_line(change)) for change in self.changes), Text("Ctrl-C ends", "dim"))


def _milliseconds(value: float) -> str:
    return f"{value:,.1f} ms"


def _size(count: int) -> str:
    size, units = float(count), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while size >= _KILO and unit != "TiB":
        size, unit = size / _KILO, next(units)
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
