"""Policy fields as plain JSON, parsed and range-checked: the one place that knows what a policy field may hold."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.policy import (
    COMPLIANCE_PROFILES,
    DATA_CLASSES,
    PolicyMode,
    PolicyRule,
    RiskTier,
    RuleEffect,
    TimeoutAction,
)
from meshflow_grpc.governance.policy_document import policy_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.governance.policy_document import AnyPolicy

    Parse = Callable[[object], object]

MAX_INT = 2**31 - 1
MAX_USD = 1_000_000.0
MAX_SECONDS = 31_536_000.0
MAX_GRAMS = 1_000_000_000.0
MAX_STEPS = 1_000_000
MAX_RULES = 100


def parse_policy_fields(fields: Mapping[str, object], *, path: str = "policy") -> dict[str, object]:
    """Types every field given; nested objects stay mappings of the fields given in them.

    Raises InvalidRequestError naming every field that is unknown (with the nearest known one), of the wrong type or out of range.
    """
    problems: list[FieldViolation] = []
    parsed = _parse_object(fields, _FIELDS, path, problems)
    if problems:
        raise InvalidRequestError.of(*problems)
    return parsed


def request_policy(policy: AnyPolicy | None) -> dict[str, object]:
    """A program's policy, parsed; raises TypeError, or InvalidRequestError naming every field that is wrong."""
    return parse_policy_fields(policy_document(policy))


def _parse_object(
    fields: Mapping[str, object], table: Mapping[str, Parse], path: str, problems: list[FieldViolation]
) -> dict[str, object]:
    parsed: dict[str, object] = {}
    for name, value in fields.items():
        if value is None:
            continue
        field = f"{path}.{name}"
        parse = table.get(name)
        if parse is None:
            problems.append(FieldViolation(field, _unknown(name, table)))
            continue
        if name in _NESTED and isinstance(value, Mapping):
            parsed[name] = _parse_object(cast("Mapping[str, object]", value), _NESTED[name], field, problems)
            continue
        try:
            parsed[name] = parse(value)
        except ValueError as error:
            problems.append(FieldViolation(field, str(error)))
    return parsed


def _unknown(name: str, table: Mapping[str, Parse]) -> str:
    near = difflib.get_close_matches(name, table, n=1)
    return (
        f"is not a known field; did you mean {near[0]!r}?"
        if near
        else f"is not a known field; known: {', '.join(table)}"
    )


def kind_of(value: object) -> str:
    """The JSON kind of a value, for messages."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Mapping):
        return "object"
    return "null" if value is None else "array"


def _expected(what: str, value: object) -> ValueError:
    return ValueError(f"expected {what}, got {kind_of(value)}")


def _number(low: float, high: float, *, above: bool = False) -> Parse:
    bound = f"more than {low:g}" if above else f"at least {low:g}"

    def parse(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _expected("a number", value)
        if not math.isfinite(value) or value > high or value < low or (above and value == low):
            message = f"must be {bound} and at most {high:g}, got {value:g}"
            raise ValueError(message)
        return float(value)

    return parse


def _integer(low: int, high: int = MAX_INT) -> Parse:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _expected("an integer", value)
        if not math.isfinite(value) or value != int(value):
            message = f"must be an integer, got {value:g}"
            raise ValueError(message)
        if not low <= value <= high:
            message = f"must be between {low} and {high}, got {value:g}"
            raise ValueError(message)
        return int(value)

    return parse


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _expected("true or false", value)
    return value


def _word(values: Mapping[str, object]) -> Parse:
    def parse(value: object) -> object:
        if not isinstance(value, str):
            raise _expected("a string", value)
        word = value.strip().lower()
        found = values.get(word) or values.get(word.replace("_", "-")) or values.get(word.replace("-", "_"))
        if found is None:
            near = difflib.get_close_matches(word, values, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            message = f"must be one of {', '.join(values)}, got {value!r}{hint}"
            raise ValueError(message)
        return found

    return parse


def _string(limit: int) -> Parse:
    def parse(value: object) -> str:
        if not isinstance(value, str):
            raise _expected("a string", value)
        if len(value) > limit:
            message = f"must have at most {limit} characters, got {len(value)}"
            raise ValueError(message)
        return value

    return parse


def _names(value: object) -> tuple[str, ...]:
    items = value.get("names", ()) if isinstance(value, Mapping) and set(value) <= {"names"} else value
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise _expected("an array of strings", value)
    for item in items:
        if not isinstance(item, str) or not item or len(item) > 200:
            message = "must hold non-empty strings of at most 200 characters"
            raise ValueError(message)
    return tuple(dict.fromkeys(items))


def _words(known: Sequence[str]) -> Parse:
    """Several of the known words: a list, or one text with commas."""
    one = _word({name: name for name in known})

    def parse(value: object) -> tuple[str, ...]:
        items = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else list(_names(value))
        return tuple(sorted({cast("str", one(item)) for item in items}))

    return parse


def _rules(value: object) -> tuple[PolicyRule, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _expected("an array of rules", value)
    if len(value) > MAX_RULES:
        message = f"must hold at most {MAX_RULES} rules"
        raise ValueError(message)
    return tuple(item if isinstance(item, PolicyRule) else _rule(place, item) for place, item in enumerate(value))


def _rule(place: int, value: object) -> PolicyRule:
    keys = {"name", "effect", "expression"}
    if not isinstance(value, Mapping) or set(value) != keys:
        message = f"each rule is an object with exactly name, effect and expression; rule {place} is not"
        raise ValueError(message)
    parts = {"name": _string(200), "effect": _word({e.value: e for e in RuleEffect}), "expression": _string(4000)}
    found = {}
    for key, parse in parts.items():
        try:
            found[key] = parse(value[key])
        except ValueError as error:
            raise ValueError(f"{key} of rule {place} {error}") from None
    return PolicyRule(cast("str", found["name"]), cast("RuleEffect", found["effect"]), cast("str", found["expression"]))


def _object(value: object) -> object:
    raise _expected("an object", value)


_NESTED: dict[str, dict[str, Parse]] = {
    "circuit_breaker": {
        "max_retries": _integer(0, 100),
        "failure_threshold": _integer(1, 1000),
        "failure_window_s": _number(0, MAX_SECONDS, above=True),
        "half_open_after_s": _number(0, MAX_SECONDS),
    },
    "human_in_loop": {
        "enabled": _boolean,
        "tier_threshold": _word({tier.label: tier for tier in RiskTier}),
        "timeout_s": _number(0, MAX_SECONDS, above=True),
        "on_timeout": _word({a.value: a for a in TimeoutAction}),
        "approval_webhook": _string(2000),
        "approvers": _names,
    },
}

_FIELDS: dict[str, Parse] = {
    "mode": _word({mode.value: mode for mode in PolicyMode}),
    "budget_usd": _number(0, MAX_USD),
    "budget_tokens": _integer(0),
    "max_steps": _integer(1, MAX_STEPS),
    "timeout_s": _number(0, MAX_SECONDS, above=True),
    "step_timeout_s": _number(0, MAX_SECONDS),
    "enable_guardian": _boolean,
    "enable_uncertainty": _boolean,
    "enable_environmental": _boolean,
    "carbon_budget_g": _number(0, MAX_GRAMS),
    "enable_cross_run_learning": _boolean,
    "immutable_audit": _boolean,
    "compliance": _words(COMPLIANCE_PROFILES),
    "circuit_breaker": _object,
    "human_in_loop": _object,
    "allowed_tools": _names,
    "denied_tools": _names,
    "rules": _rules,
    "scrub_pii": _boolean,
    "max_output_chars": _integer(0),
    "session_budget_usd": _number(0, MAX_USD),
    "denied_data": _words(DATA_CLASSES),
}
