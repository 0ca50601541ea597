"""pytest; a few failures among tests with processes, networks and databases are asked again, alone, and named as unstable.

Such a test runs beside whatever else the machine does. When it fails and then passes, the run is green and says so. What fails
twice, fails without a process of its own, or is one of more than MOST_AGAIN, fails the run.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

# Their outcome depends on nothing but the code: a failure is a defect at once.
CERTAIN: Final = ("tests/architecture/", "tests/protos/", "tests/scenarios/", "tests/unit/")
MOST_AGAIN: Final = 2


class Failures:
    """Which tests failed in any phase, and whether something failed that is no test."""

    def __init__(self) -> None:
        self.tests: dict[str, None] = {}
        self._elsewhere = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """See pytest."""
        if report.failed:
            self.tests[report.nodeid] = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """See pytest."""
        self._elsewhere |= report.failed

    def may_be_chance(self) -> bool:
        """Whether each may owe to the machine, and they are few."""
        few = 0 < len(self.tests) <= MOST_AGAIN
        return few and not self._elsewhere and not any(test.startswith(CERTAIN) for test in self.tests)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code, which is pytest's."""
    failures = Failures()
    code = int(pytest.main([*arguments], plugins=[failures]))
    if code != pytest.ExitCode.TESTS_FAILED or not failures.may_be_chance():
        return code
    tests = list(failures.tests)
    print("\nAsked again, alone:", *tests, sep="\n  ", flush=True)
    again = subprocess.run([sys.executable, "-m", "pytest", *tests], check=False).returncode
    if again == 0:
        print("\nUNSTABLE: failed, then passed alone; find out why:", *tests, sep="\n  ", flush=True)
    return again


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
