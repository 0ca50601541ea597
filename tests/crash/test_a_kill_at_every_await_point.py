"""kill -9 at each await point of a run, one after another: tasks, the ledger's writer, tools, the gate, and the recovery itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "killed_steps.py"
STEPS = {
    "buyer#1/tool#1",
    "buyer#1/tool#2",
    "buyer#1/tool#3",
    "buyer#1",
    "left#1",
    "right#1",
    "gate#1",
    "payer#1",
    "critic#1",
    "critic#2",
}
IRREVERSIBLE = {"buyer#1/tool#3": "pay 1", "payer#1": "pay 2"}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What was left behind after each kill."""
    directory = tmp_path_factory.mktemp("killed")
    command = [sys.executable, str(PROGRAM), str(directory), "1", "100000", "1"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=590
    )
    assert done.returncode == 0, done.stderr[-4000:]
    *found, last = map(json.loads, done.stdout.splitlines())
    assert len(found) == last["points"]
    return found


def test_hundreds_of_kills_were_made(killed: list[dict[str, Any]]) -> None:
    """Nearly every attempt was killed where it should have been: the run and the recovery after it."""
    assert len(killed) > 100
    assert sum(each["kills"] for each in killed) > 1.5 * len(killed)


def test_no_acknowledged_entry_is_lost_and_chains_are_valid(killed: list[dict[str, Any]]) -> None:
    """One run, one chain, everything that was acknowledged in it."""
    spoilt = [each for each in killed if each["lost"] or not each["valid"] or each["runs"] != 1 or not each["ended"]]
    assert spoilt == []


def test_no_step_is_committed_twice(killed: list[dict[str, Any]]) -> None:
    """Not even when the process died between the step and its acknowledgement."""
    assert [each for each in killed if max(Counter(each["committed"]).values()) > 1] == []


def test_irreversible_effects_happen_at_most_once(killed: list[dict[str, Any]]) -> None:
    """Exactly once where the step is committed."""
    for each in killed:
        effects = Counter(each["effects"])
        for step, effect in IRREVERSIBLE.items():
            assert effects[effect] <= 1, each
            assert step not in each["committed"] or effects[effect] == 1, each


def test_repeated_idempotent_calls_carry_their_key(killed: list[dict[str, Any]]) -> None:
    """Whoever receives them can tell: each order has one key, however often it was sent."""
    for each in killed:
        orders = {effect for effect in each["effects"] if effect.startswith("order")}
        assert len(orders) <= 2, each


def test_the_run_completes_unless_a_human_must_look(killed: list[dict[str, Any]]) -> None:
    """Every step is committed once; a run fails only where an irreversible step is in doubt, and it says which."""
    doubtful = 0
    for each in killed:
        if each["in_doubt"]:
            doubtful += 1
            assert each["status"] == "failed", each
            assert IRREVERSIBLE.keys() & set(each["in_doubt"]), each
        else:
            assert each["status"] == "completed", each
            assert set(each["committed"]) == STEPS, each
    assert 0 < doubtful < len(killed) / 2
