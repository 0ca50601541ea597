"""The command line, run in this process against a scripted server."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.cli import main
from tests.unit.client.fake_server import FakeServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A scripted server."""
    with FakeServer() as running:
        yield running


@pytest.fixture
def meshflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Runs ``meshflow`` with arguments and without settings of the machine."""
    for name in list(os.environ):
        if name.startswith(("MESHFLOW_", "ANTHROPIC_")):
            monkeypatch.delenv(name)

    def run(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["meshflow", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Finished(int(ended.value.code or 0), captured.out, captured.err)

    return run
