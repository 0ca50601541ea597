"""Which Envoy is started: the configured one, the packaged one, the one on PATH; else a clear error."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.envoy.binary import EnvoyNotFoundError, find_envoy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An executable file called envoy."""
    path = tmp_path / "envoy"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def unrelated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The other distribution whose import name is envoy, and an empty PATH."""
    monkeypatch.setitem(sys.modules, "envoy", ModuleType("envoy"))
    monkeypatch.setenv("PATH", str(tmp_path / "none"))


def test_a_configured_binary_wins(program: Path) -> None:
    """MESHFLOW_ENVOY is not second-guessed."""
    assert find_envoy(program) == program


def test_a_configured_binary_must_exist(tmp_path: Path) -> None:
    """No silent fallback from a wrong setting."""
    with pytest.raises(EnvoyNotFoundError, match="MESHFLOW_ENVOY: no executable file at"):
        find_envoy(tmp_path / "absent")


@pytest.mark.usefixtures("unrelated")
def test_path_is_the_last_resort(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unrelated package called envoy does not get in the way."""
    monkeypatch.setenv("PATH", str(program.parent))

    assert find_envoy() == program


@pytest.mark.usefixtures("unrelated")
def test_without_any_the_error_says_how_to_get_one() -> None:
    """The remedy is in the message."""
    with pytest.raises(EnvoyNotFoundError, match=r'pip install "meshflow-grpc\[envoy\]"'):
        find_envoy()
