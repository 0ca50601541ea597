"""What a workflow tells the mock model to do: the ``mock`` mapping of an agent node."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from meshflow_grpc.ports.provider import ProviderError, ProviderFault, ToolCall
from meshflow_grpc.workflow.problem import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.json_value import JsonValue

MAX_LATENCY_MS = 3_600_000
MAX_TOKENS = 10_000_000
MAX_ATTEMPTS = 1_000_000
MAX_DELTAS = 10_000
# Asked for in every call: a union is made anew each time, and an abstract class asks its registry.
_NUMBERS = (int, float)
_MAPPINGS = (dict, Mapping)
_FAULTS = {fault.value: fault for fault in ProviderFault}
_NOT_RETRYABLE = frozenset({ProviderFault.AUTHENTICATION, ProviderFault.INVALID})


@dataclass(frozen=True, slots=True)
class ScriptedFailure:
    """The first ``attempts`` attempts of a step fail with ``fault``."""

    attempts: int = 1
    fault: ProviderFault = ProviderFault.OVERLOADED
    retryable: bool = True
    retry_after_s: float | None = None


class MockScript(NamedTuple):
    """Scripted behaviour of one node; what is None is left to the mock."""

    latency_ms: float | None = None
    fail: ScriptedFailure | None = None
    output: str | None = None
    confidence: float | None = None
    scores: tuple[float, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    deltas: int | None = None


UNSCRIPTED = MockScript()


class _FieldError(ValueError):
    """A field does not hold what it must; the text says what that is."""


def parse_mock_script(value: JsonValue, node_id: str) -> MockScript:
    """Reads the ``mock`` mapping of a node; raises ProviderError (INVALID) naming the field, the rule and the nearest known field."""
    where = f"nodes.{node_id}.mock"
    try:
        fields = _mapping(value, _READERS)
    except _FieldError as error:
        raise _invalid(f"{where}: {error}") from None
    read: dict[str, object] = {}
    for name, content in fields.items():
        try:
            read |= _READERS[name](content)
        except _FieldError as error:
            raise _invalid(f"{where}.{name}: {error}") from None
    return MockScript(**read)  # type: ignore[arg-type] # each reader returns fields of the script


def _invalid(message: str) -> ProviderError:
    return ProviderError(ProviderFault.INVALID, message, retryable=False)


def _mapping(value: object, known: Mapping[str, object]) -> Mapping[str, JsonValue]:
    if not isinstance(value, _MAPPINGS):
        raise _FieldError("must be a mapping")
    for name in value:
        if name not in known:
            raise _FieldError(f"unknown field {name!r}{did_you_mean(str(name), known)}")
    return value


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, _NUMBERS) or not low <= value <= high:
        raise _FieldError(f"must be a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _FieldError(f"must be a whole number from {low} to {high}")
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise _FieldError("must be a list of at least one element")
    return value


def _fail(value: JsonValue) -> dict[str, object]:
    if isinstance(value, int):
        return {"fail": ScriptedFailure(_whole(value, 1, MAX_ATTEMPTS))}
    fields = _mapping(value, dict.fromkeys(("attempts", "fault", "retryable", "retry_after_s")))
    name = fields.get("fault", ProviderFault.OVERLOADED.value)
    if not isinstance(name, str) or name not in _FAULTS:
        raise _FieldError(f"unknown fault {name!r}{did_you_mean(str(name), _FAULTS)}")
    fault = _FAULTS[name]
    retryable = fields.get("retryable", fault not in _NOT_RETRYABLE)
    if not isinstance(retryable, bool):
        raise _FieldError("retryable must be true or false")
    pause = _number(fields["retry_after_s"], 0, 3600) if "retry_after_s" in fields else None
    return {"fail": ScriptedFailure(_whole(fields.get("attempts", 1), 1, MAX_ATTEMPTS), fault, retryable, pause)}


def _output(value: JsonValue) -> dict[str, object]:
    if isinstance(value, str):
        return {"output": value}
    if not isinstance(value, Mapping):
        raise _FieldError("must be a text, or a mapping that is given as JSON")
    return {"output": json.dumps(value, ensure_ascii=False)}


def _tool_calls(value: JsonValue) -> dict[str, object]:
    calls = []
    for number, item in enumerate(_list(value), start=1):
        fields = _mapping(item, dict.fromkeys(("name", "arguments")))
        name, arguments = fields.get("name"), fields.get("arguments", {})
        if not isinstance(name, str) or not name or not isinstance(arguments, Mapping):
            raise _FieldError(f"element {number} needs a name and, if any, a mapping of arguments")
        calls.append(ToolCall(f"call_{number}", name, arguments))
    return {"calls": tuple(calls)}


def _tokens(value: JsonValue) -> dict[str, object]:
    fields = _mapping(value, dict.fromkeys(("input", "output")))
    return {f"{name}_tokens": _whole(count, 0, MAX_TOKENS) for name, count in fields.items()}


_READERS: Mapping[str, Callable[[JsonValue], dict[str, object]]] = {
    "latency_ms": lambda value: {"latency_ms": _number(value, 0, MAX_LATENCY_MS)},
    "fail": _fail,
    "output": _output,
    "confidence": lambda value: {"confidence": _number(value, 0, 1)},
    "scores": lambda value: {"scores": tuple(_number(score, 0, 1) for score in _list(value))},
    "tool_calls": _tool_calls,
    "tokens": _tokens,
    "deltas": lambda value: {"deltas": _whole(value, 1, MAX_DELTAS)},
}
