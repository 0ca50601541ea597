"""`make test` asks a few tests of processes again, says which, and lets nothing else pass that failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAILS_ONCE = """
import pathlib
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_it(number):
    witness = pathlib.Path(__file__).with_name(f"witness{{number}}")
    seen = witness.exists()
    witness.touch()
    assert seen
"""
FAILS_ALWAYS = "def test_it(): assert False\n"


def run(directory: Path, kind: str, test: str) -> tuple[int, str]:
    """Exit code and output of the tests of a project with this one file."""
    folder = directory / "tests" / kind
    folder.mkdir(parents=True)
    (directory / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    (folder / "test_of_a_project.py").write_text(test)
    command = [sys.executable, str(ROOT / "tools" / "run_tests.py"), "-q"]
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120)
    return ended.returncode, ended.stdout


def test_what_passes_alone_is_green_and_named(tmp_path: Path) -> None:
    """Both attempts are in the output."""
    code, output = run(tmp_path, "e2e", FAILS_ONCE.format(count=2))
    assert code == 0, output
    assert "2 failed" in output
    assert "2 passed" in output
    named = output.rpartition("UNSTABLE")[2]
    assert "tests/e2e/test_of_a_project.py::test_it[0]" in named
    assert "tests/e2e/test_of_a_project.py::test_it[1]" in named


def test_what_fails_twice_fails(tmp_path: Path) -> None:
    """A defect."""
    code, output = run(tmp_path, "e2e", FAILS_ALWAYS)
    assert (code, output.count("1 failed"), "UNSTABLE" in output) == (1, 2, False), output


def test_many_failures_are_no_chance(tmp_path: Path) -> None:
    """They would all pass alone."""
    code, output = run(tmp_path, "e2e", FAILS_ONCE.format(count=3))
    assert (code, "again" in output) == (1, False), output


def test_a_unit_test_has_one_attempt(tmp_path: Path) -> None:
    """Nothing around it can be why it fails."""
    code, output = run(tmp_path, "unit", FAILS_ONCE.format(count=1))
    assert (code, "again" in output) == (1, False), output


def test_a_file_that_is_no_test_fails(tmp_path: Path) -> None:
    """Nothing has been tested."""
    code, output = run(tmp_path, "e2e", "import nothing_of_that_name\n")
    assert (code, "again" in output) == (2, False), output
