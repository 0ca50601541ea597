"""`make check-speed` fails when a step costs more than so many times the yardstick's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cpu_budget

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("limit", "holds"), [(3.9, False), (4.0, True)])
def test_the_ratio_is_that_of_the_medians(limit: float, holds: bool) -> None:
    """One slow round of either does not decide."""
    text, held = cpu_budget.told({"ours": [80.0, 79.0, 500.0], "yardstick": [20.0, 19.0, 90.0]}, limit)

    assert held is holds
    assert "4.00" in text


def test_the_exit_code_tells_and_both_are_really_measured() -> None:
    """A limit that nothing can keep is exceeded: exit code 1, and both figures are printed."""
    command = [sys.executable, "-m", "benchmarks.cpu_budget", "--rounds", "1", "--runs", "2", "--in-flight", "2"]

    done = subprocess.run([*command, "--limit", "0.001"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 1, done.stderr
    assert "ABOVE THE LIMIT" in done.stdout
    ours, yardstick = (float(line.split()[1]) for line in done.stdout.splitlines()[:2])
    assert ours > yardstick > 0
