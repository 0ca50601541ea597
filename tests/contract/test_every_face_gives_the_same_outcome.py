"""The scenarios through every face: each gives what is expected, and all give the same."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import BUILD_TIMEOUT_S, Keys, tenant_of
from tests.contract.faces import Answer, Face
from tests.contract.normal import counts_are_numbers, normal, normal_error
from tests.contract.scenario import Scenario, Step, at, differences, filled, load

# The first test waits until the drivers are built.
pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S + 120)
SCENARIOS = load()
Outcome = dict[str, Any]


def check(step: Step, answer: Answer, names: dict[str, Any]) -> list[str]:
    """What is wrong with an answer."""
    if (answer.error is None) != (step.error is None):
        return [f"{step.call}: error {answer.error}, expected {step.error}"]
    wrong = differences(answer.result, filled(step.expect, names)) if step.expect else []
    if step.events is not None:
        wrong += differences([event["event_type"] for event in answer.events], step.events, "events")
    if step.sequences is not None:
        wrong += differences([event.get("sequence") for event in answer.events], step.sequences, "sequences")
    if not counts_are_numbers([answer.result, answer.events]):
        wrong.append("a count is not a whole number")
    return [f"{step.call}: {text}" for text in wrong]


def check_error(step: Step, answer: Answer, outcome: Outcome) -> list[str]:
    """What is wrong with an error: code, reason, fields and what is said of the first field."""
    if step.error is None or answer.error is None:
        return []
    found, expected = outcome["error"], step.error
    code = answer.error["code"]
    wrong = [] if code in (expected["code"], None, "UNSENDABLE") else [f"code {code}, expected {expected['code']}"]
    if found["reason"] != expected["reason"]:
        wrong.append(f"reason {found['reason']}, expected {expected['reason']}")
    if "fields" in expected and found["fields"] not in (expected["fields"], None):
        wrong.append(f"fields {found['fields']}, expected {expected['fields']}")
    if "described" in expected and found["fields"] is not None:
        description = answer.error["violations"][0]["description"]
        if expected["described"] not in description:
            wrong.append(f"{description!r} does not say {expected['described']!r}")
    return [f"{step.call}: {text}" for text in wrong]


def play(face: Face, scenario: Scenario, keys: Keys) -> tuple[dict[int, Outcome], list[str]]:
    """The scenario through one face: what came of each step, and what was wrong."""
    names: dict[str, Any] = {"unique": uuid.uuid4().hex}
    tenant = tenant_of(face.name, scenario.name, scenario.lists)
    outcomes: dict[int, Outcome] = {}
    wrong: list[str] = []
    for number, step in enumerate(scenario.steps):
        if face.name in step.exempt:
            continue
        answer = face.call(step.call, filled(step.args, names), keys.token(tenant, step.role))
        outcomes[number] = {
            "result": normal(answer.result, step.volatile),
            "events": normal(answer.events),
            "error": normal_error(answer, face.name in scenario.unsendable),
        }
        wrong += check(step, answer, names) or check_error(step, answer, outcomes[number])
        if wrong:
            break
        names |= {name: at(answer.result, path) for name, path in step.save.items()}
    return outcomes, [f"{face.name}: {text}" for text in wrong]


def disagreements(scenario: Scenario, name: str, one: dict[int, Outcome], all_of: dict[int, Outcome]) -> list[str]:
    """Where a face differs from the Python client."""
    wrong = []
    for number, outcome in one.items():
        model = dict(all_of[number])
        if model["error"] is not None and None in (model["error"]["fields"], outcome["error"]["fields"]):
            continue  # a type without the field can name no field
        wrong += [f"{name}: step {number + 1}{text}" for text in differences(outcome, model)]
        wrong += [f"{name}: step {number + 1}, more than Python: {text}" for text in differences(model, outcome)]
    return wrong


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.name))
def test_each_face_agrees(faces: dict[str, Face], keys: tuple[Keys, Path], scenario: Scenario) -> None:
    """The same fields, values, events and errors, and those the scenario expects."""
    with ThreadPoolExecutor(len(faces)) as pool:
        played = dict(zip(faces, pool.map(lambda face: play(face, scenario, keys[0]), faces.values()), strict=True))
    wrong = [text for _, texts in played.values() for text in texts]
    assert not wrong, "\n".join(wrong)

    model = played["python"][0]
    wrong = [
        text for name in faces for text in disagreements(scenario, name, played[name][0], model) if name != "python"
    ]
    assert not wrong, "\n".join(wrong)


def test_no_face_is_missing(built: dict[str, str]) -> None:
    """Without its toolchain a client is not tested, and that is said."""
    if built:
        pytest.skip("; ".join(f"{face} was not tested: {why}" for face, why in built.items()))
