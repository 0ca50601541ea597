"""RunRequest from plain data: the one parser behind gRPC and JSON. Every problem is reported at once, with its path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import EventView, OnDisconnect, RunRequest
from meshflow_grpc.governance.policy_fields import kind_of, parse_policy_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.json_value import JsonValue

MAX_TASK_CHARS = 1_000_000
MAX_ID_CHARS = 128
MAX_NAME_CHARS = 200
MAX_LABELS = 16
MAX_LABEL_KEY = 64
MAX_LABEL_VALUE = 256
MAX_URL_CHARS = 2000
_DIGEST = re.compile(r"[0-9a-f]{64}")


def parse_run_request(
    fields: Mapping[str, object], policy: Callable[[Any], Mapping[str, object]] | None = None
) -> RunRequest:
    """Raises InvalidRequestError naming every field that is unknown, missing, of the wrong type or out of range.

    ``policy`` parses the policy of a request that brings it in another form than plain data; it raises the same.
    """
    problems: list[FieldViolation] = []
    values: dict[str, object] = {}
    for name, value in fields.items():
        parse = policy if policy is not None and name == "policy" else _FIELDS.get(name)
        if parse is None:
            problems.append(FieldViolation(name, unknown_key(name, tuple(_FIELDS))))
        elif value is not None:
            _take(values, name, parse, value, problems)
    if fields.get("task") is None and fields.get("input") is None:
        problems.append(FieldViolation("task", "either task (string) or input (object) is required"))
    if "workflow" in values and "workflow_yaml" in values:
        problems.append(FieldViolation("workflow_yaml", "give workflow or workflow_yaml, not both"))
    if problems:
        raise InvalidRequestError.of(*problems)
    return RunRequest(**values)  # type: ignore[arg-type]  # each value was typed by its parser


def _take(
    values: dict[str, object],
    name: str,
    parse: Callable[[object], object],
    value: object,
    problems: list[FieldViolation],
) -> None:
    try:
        values[name] = parse(value)
    except InvalidRequestError as error:
        problems.extend(error.violations)
    except ValueError as error:
        problems.append(FieldViolation(name, str(error)))


def unknown_key(name: str, known: tuple[str, ...]) -> str:
    """What to say of a key nobody knows."""
    near = difflib.get_close_matches(name, known, n=1)
    return (
        f"is not a known field; did you mean {near[0]!r}?"
        if near
        else f"is not a known field; known: {', '.join(known)}"
    )


def _text(limit: int, *, blank: bool = False) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"expected a string, got {kind_of(value)}")
        if not blank and not value.strip():
            raise ValueError("must not be blank")
        if len(value) > limit:
            raise ValueError(f"must have at most {limit} characters, got {len(value)}")
        return value

    return parse


def _id(value: object) -> str:
    text = _text(MAX_ID_CHARS)(value)
    if not text.isprintable():
        raise ValueError("must hold printable characters only")
    return text


def _object(value: object) -> Mapping[str, JsonValue]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected an object, got {kind_of(value)}")
    return cast("Mapping[str, JsonValue]", value)


def _policy(value: object) -> dict[str, object]:
    return parse_policy_fields(cast("Mapping[str, object]", _object(value)))


def _choice(choices: type[OnDisconnect | EventView]) -> Callable[[object], object]:
    words = [choice.value for choice in choices]

    def parse(value: object) -> object:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}, got {value!r}")
        return choices(value)

    return parse


def _digest(value: object) -> str:
    text = _text(64)(value)
    if not _DIGEST.fullmatch(text):
        raise ValueError("must be 64 lower-case hexadecimal digits")
    return text


def _url(value: object) -> str:
    text = _text(MAX_URL_CHARS)(value)
    if not text.isprintable() or " " in text:
        raise ValueError("must hold printable characters only, and no spaces")
    try:
        parts = urlsplit(text)
        host, known = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
    if parts.scheme not in ("https", "http") or not host or known == 0:
        raise ValueError("must be a URL such as https://example.com/hook")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no credentials; deliveries are signed")
    return text


def _labels(value: object) -> dict[str, str]:
    labels = _object(value)
    if len(labels) > MAX_LABELS:
        raise ValueError(f"must hold at most {MAX_LABELS} labels, got {len(labels)}")
    for key, text in labels.items():
        if not 1 <= len(key) <= MAX_LABEL_KEY:
            raise ValueError(f"keys have 1 to {MAX_LABEL_KEY} characters, got {len(key)}")
        if not isinstance(text, str) or len(text) > MAX_LABEL_VALUE:
            raise ValueError(f"the value of {key!r} must be a string of at most {MAX_LABEL_VALUE} characters")
    return cast("dict[str, str]", dict(labels))


_FIELDS: dict[str, Callable[[object], object]] = {
    "task": _text(MAX_TASK_CHARS),
    "input": _object,
    "policy": _policy,
    "workflow": _text(MAX_NAME_CHARS),
    "workflow_yaml": _text(MAX_TASK_CHARS),
    "session_id": _id,
    "request_id": _id,
    "on_disconnect": _choice(OnDisconnect),
    "event_view": _choice(EventView),
    "expected_policy_digest": _digest,
    "labels": _labels,
    "webhook": _url,
}

REQUEST_FIELDS = tuple(_FIELDS)
