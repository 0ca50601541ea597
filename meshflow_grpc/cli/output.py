"""Data on stdout: tables for people, JSON and JSON lines for programs."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

_PIPE_WIDTH = 400
_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class OutputFormat(StrEnum):
    """How data is written to stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def printable(text: str) -> str:
    """Removes control characters, so that what a model or a server says cannot drive the terminal."""
    return text.translate(_CONTROL)


def write_record(record: Mapping[str, Any], output: OutputFormat) -> None:
    """Writes one object as JSON; for a table see write_fields."""
    indent = 2 if output is OutputFormat.JSON else None
    sys.stdout.write(json.dumps(record, indent=indent, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def write_records(records: Iterable[Mapping[str, Any]], output: OutputFormat) -> None:
    """Writes objects as one JSON array, or as a line each."""
    if output is OutputFormat.JSON:
        sys.stdout.write(json.dumps(list(records), indent=2, ensure_ascii=False) + "\n")
        return
    for record in records:
        write_record(record, output)


def write_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Writes names and values below each other; empty values are left out."""
    shown = [(name, printable(value)) for name, value in fields if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        sys.stdout.write(f"{name.ljust(width)}  {value}\n")


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes rows under headings; on a terminal long cells fold (never ids), in a pipe every row is a line."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=not terminal or column == "RUN")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    stdout_console().print(table)


def stdout_console() -> Console:
    """A console on stdout; a pipe is wide enough for every row."""
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def stderr_console() -> Console:
    """A console on stderr, for progress."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=True)
