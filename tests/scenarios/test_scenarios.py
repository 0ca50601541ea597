"""Every file of ``files`` is played; its trace must be what the file says, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.player import Scenario, play

FILES = sorted((Path(__file__).parent / "files").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_scenario(file: Path) -> None:
    """All ledger entries, all events and the end are as written."""
    scenario = Scenario.read(file)
    expected = [line for line in scenario.sections["trace"] if line]

    assert "\n".join(await play(scenario)) == "\n".join(expected)


def test_there_are_scenarios() -> None:
    """The folder is found: without it the test above would pass by being empty."""
    assert len(FILES) >= 30
