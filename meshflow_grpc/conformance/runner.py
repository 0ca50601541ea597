"""Runs the scenarios of the levels asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.conformance.faces import CallRefusedError
from meshflow_grpc.conformance.scenarios import LEVELS, NotConformingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.conformance.faces import Face


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario: its level, name, whether it passed, and if not, why."""

    level: int
    scenario: str
    passed: bool
    problem: str = ""


async def results(face: Face, level: int) -> AsyncIterator[Result]:
    """Yields the result of every scenario of the levels 0 to ``level``; a call that fails is a scenario that fails."""
    for number, scenarios in enumerate(LEVELS[: level + 1]):
        for scenario in scenarios:
            problem = ""
            try:
                await scenario(face)
            except (NotConformingError, CallRefusedError) as error:
                problem = str(error)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                problem = f"the answer has not the shape that is promised: {type(error).__name__} {error}"
            yield Result(number, scenario.__name__, not problem, problem)
