"""The log's thread: it wakes for many lines at once, loses none at the end, and a stuck stderr costs lines, never the caller."""

from __future__ import annotations

import json
import re
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import structlog

from meshflow_grpc.telemetry.log_writer import MAX_WAITING_LINES, LogWriter
from meshflow_grpc.telemetry.logging import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stream:
    """Stands for stderr; ``go_on`` lets a write finish."""

    def __init__(self) -> None:
        self.writes: list[str] = []
        self.reached = threading.Event()
        self.written = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def write(self, text: str) -> None:
        """Takes what a real stream would."""
        self.reached.set()
        self.go_on.wait()
        self.writes.append(text)
        self.written.set()

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """It is no terminal."""
        return False

    @property
    def lines(self) -> list[str]:
        """What was written, line by line."""
        return "".join(self.writes).splitlines()


def in_place_of_stderr(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A stream for the rest of the test; a fixture's would be replaced by pytest's own when the test begins."""
    stream = Stream()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture
def configuration() -> Iterator[None]:
    """Puts structlog's configuration back."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_every_line_is_there_in_order_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing taken is lost, and lines that come together are written together."""
    stream = in_place_of_stderr(monkeypatch)
    writer = LogWriter()
    for number in range(2500):
        writer.line(f"{number}")
    writer.close()
    assert stream.lines == [str(number) for number in range(2500)]
    assert len(stream.writes) < 250


def test_a_line_is_written_without_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single line does not wait for company or for the end."""
    stream = in_place_of_stderr(monkeypatch)
    writer = LogWriter()
    writer.line("alone")
    assert stream.written.wait(5)
    writer.close()
    assert stream.lines == ["alone"]


def test_a_stuck_stderr_costs_the_newest_lines_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond 10,000 waiting lines they are dropped and counted; writing never blocks."""
    stream = in_place_of_stderr(monkeypatch)
    stream.go_on.clear()
    writer = LogWriter()
    writer.line("first")
    assert stream.reached.wait(5)
    for number in range(MAX_WAITING_LINES + 3):
        writer.line(f"{number}")
    stream.go_on.set()
    writer.close()
    told = [json.loads(line) for line in stream.lines if "dropped" in line]
    assert told == [{"event": "log_lines_dropped", "count": 3, "level": "warning"}]
    assert str(MAX_WAITING_LINES - 1) in stream.lines
    assert str(MAX_WAITING_LINES) not in stream.lines


@pytest.mark.usefixtures("configuration")
def test_a_line_is_one_json_object_in_ascii_whatever_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects come as their repr, control characters and other alphabets escaped: no value can begin a line or reach a terminal."""
    stream = in_place_of_stderr(monkeypatch)
    configure_logging("info", "json")
    structlog.get_logger("test").warning("said", name="ü\n\x9b31m", thing=ValueError("no"))
    assert stream.written.wait(5)
    (line,) = stream.lines
    assert line.isascii()
    found = json.loads(line)
    assert (found["name"], found["thing"], found["level"]) == ("ü\n\x9b31m", "ValueError('no')", "warning")
    assert '"event": "said"' in line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["timestamp"])
