"""Scenarios as data: what is called, what is kept for later calls, and what must come of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.contract.application import flood_text

DIRECTORY = Path(__file__).parent / "scenarios"
ROLES = ("operator", "viewer", "approver", "admin", "stranger")
FLOOD = flood_text(3)
_NAME = re.compile(r"(?<!\$)\$\{(\w+)\}")
_STEP_KEYS = {"call", "as", "args", "save", "expect", "error", "events", "sequences", "volatile", "except"}
_KEYS = {"name", "request", "expect", "error", "events", "unsendable", "steps"}


@dataclass(frozen=True)
class Step:
    """One call."""

    call: str
    role: str
    args: dict[str, Any]
    save: dict[str, str]
    expect: Any
    error: dict[str, Any] | None
    events: list[str] | None
    sequences: list[int] | None
    volatile: frozenset[str]
    exempt: dict[str, str]


@dataclass(frozen=True)
class Scenario:
    """Some calls, one after another."""

    name: str
    steps: tuple[Step, ...]
    unsendable: frozenset[str]

    @property
    def lists(self) -> bool:
        """Whether it must not see other scenarios' runs."""
        return any(step.call.startswith("list_") for step in self.steps)


def load() -> list[Scenario]:
    """Every scenario of every file. Raises ValueError for a key that means nothing, so that no expectation is lost."""
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(DIRECTORY.glob("*.yaml"))]
    found = [_scenario(document) for scenarios in documents for document in scenarios]
    names = [scenario.name for scenario in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two scenarios have one name: {sorted(names)}")
    return found


def _scenario(document: dict[str, Any]) -> Scenario:
    _refuse_unknown(document, _KEYS)
    unsendable = frozenset(document.get("unsendable", ()))
    if "steps" in document:
        return Scenario(document["name"], tuple(map(_step, document["steps"])), unsendable)
    told = {key: document[key] for key in ("expect", "error") if key in document}
    steps = [{"call": "run", "args": {"request": document["request"]}, **told}]
    if "events" in document or "error" in document:
        told = {key: document[key] for key in ("events", "error") if key in document}
        steps.append({"call": "stream_run", "args": {"request": document["request"]}, **told})
    return Scenario(document["name"], tuple(map(_step, steps)), unsendable)


def _step(document: dict[str, Any]) -> Step:
    _refuse_unknown(document, _STEP_KEYS)
    return Step(
        call=document["call"],
        role=document.get("as", "operator"),
        args=document.get("args", {}),
        save=document.get("save", {}),
        expect=document.get("expect", {}),
        error=document.get("error"),
        events=document.get("events"),
        sequences=document.get("sequences"),
        volatile=frozenset(document.get("volatile", ())),
        exempt=document.get("except", {}),
    )


def _refuse_unknown(document: dict[str, Any], known: set[str]) -> None:
    if unknown := document.keys() - known:
        raise ValueError(f"{document}: {sorted(unknown)} mean nothing; known are {sorted(known)}")


def filled(value: Any, names: Mapping[str, Any]) -> Any:
    """Replaces ``${name}`` in every text; ``$${`` stands for ``${``."""
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if not isinstance(value, str):
        return value
    names = {"flood": FLOOD, **names} if "${flood}" in value else names
    return _NAME.sub(lambda match: str(names[match[1]]), value).replace("$${", "${")


def at(value: Any, path: str) -> Any:
    """The value at a dotted path."""
    for key in path.split("."):
        value = value[key]
    return value


def differences(found: Any, expected: Any, place: str = "") -> list[str]:
    """Where ``found`` is not what is expected: objects may have more keys, lists must have the same length."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected:
        return [text for key, item in expected.items() for text in differences(found.get(key), item, f"{place}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(found, expected, strict=True))
        return [text for number, (one, other) in pairs for text in differences(one, other, f"{place}[{number}]")]
    # True == 1 in Python, not in JSON.
    same = found == expected and isinstance(found, bool) == isinstance(expected, bool)
    return [] if same else [f"{place or 'answer'}: {_short(found)}, expected {_short(expected)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"
