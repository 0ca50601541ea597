"""Builds run requests from plain values, strictly: an unknown key or a wrong type is refused and named."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from google.protobuf.descriptor import FieldDescriptor

from meshflow_grpc._gen.meshflow.v1 import policy_pb2, run_pb2
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.governance.policy_document import policy_document

if TYPE_CHECKING:
    from typing import TypeAlias

    from google._upb._message import FieldDescriptor as UpbFieldDescriptor
    from google.protobuf.message import Message

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.governance.policy_document import AnyPolicy

    _Field: TypeAlias = FieldDescriptor | UpbFieldDescriptor

_TOOL_LIST = "meshflow.v1.ToolList"
_INT32 = range(-(2**31), 2**31)


class RunOptions(TypedDict, total=False):
    """Fields of a run request beside the task; the meaning of each is that of ``meshflow.v1.RunRequest``."""

    input: Mapping[str, JsonValue]
    policy: AnyPolicy
    workflow: str
    workflow_yaml: str
    session_id: str
    request_id: str
    on_disconnect: str
    event_view: str
    expected_policy_digest: str
    labels: Mapping[str, str]
    webhook: str


def run_request(task: str | None, options: RunOptions) -> run_pb2.RunRequest:
    """Builds a request. Raises InvalidRequestError naming every unknown key and every value of a wrong type."""
    request = run_pb2.RunRequest()
    violations: list[FieldViolation] = []
    fields: dict[str, Any] = {"task": task, **options}  # values of callers without a type checker
    if isinstance(fields.get("policy"), Policy | Mapping):
        fields["policy"] = policy_document(fields["policy"])
    for name in ("input", "labels"):
        value = fields.pop(name, None)
        if value is not None and not isinstance(value, Mapping):
            violations.append(FieldViolation(name, "must be an object"))
        elif value is not None:
            _fill_map(request, name, value, violations)
    _fill(request, {name: value for name, value in fields.items() if value is not None}, "", violations)
    if violations:
        raise InvalidRequestError.of(*violations)
    return request


def with_request_id(options: RunOptions) -> RunOptions:
    """Returns options with an idempotency key: the caller's, or a fresh one, so that no retry runs a task twice."""
    return options if options.get("request_id") else {**options, "request_id": str(uuid.uuid4())}


def policy_message(policy: AnyPolicy) -> policy_pb2.Policy:
    """Builds a policy. Raises InvalidRequestError naming every unknown key and every value of a wrong type."""
    return run_request(None, {"policy": policy}).policy


def _fill_map(
    request: run_pb2.RunRequest, name: str, value: Mapping[str, Any], violations: list[FieldViolation]
) -> None:
    for key, item in value.items():
        try:
            if name == "input":
                request.input.update({key: item})
            else:
                request.labels[key] = item
        except (TypeError, ValueError):
            violations.append(FieldViolation(f"{name}.{key}", f"cannot be sent as {type(item).__name__}"))


def _fill(message: Message, values: Mapping[str, Any], path: str, violations: list[FieldViolation]) -> None:
    fields = message.DESCRIPTOR.fields_by_name
    for key, value in values.items():
        place = f"{path}.{key}" if path else key
        field = fields.get(key)
        if field is None:
            violations.append(FieldViolation(place, _unknown(key, list(fields))))
        elif field.message_type is not None:
            _fill_message(message, field, value, place, violations)
        elif (wrong := _wrong_type(field, value)) is not None:
            violations.append(FieldViolation(place, wrong))
        elif field.is_repeated:
            getattr(message, key).extend(value)
        else:
            setattr(message, key, ",".join(value) if isinstance(value, list | tuple) else value)


def _fill_message(
    message: Message,
    field: _Field,
    value: object,
    place: str,
    violations: list[FieldViolation],
) -> None:
    child = getattr(message, field.name)
    tools = field.message_type is not None and field.message_type.full_name == _TOOL_LIST
    if tools and _is_strings(value):
        child.SetInParent()
        child.names.extend(value)
    elif field.is_repeated and isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            _fill(child.add(), item, f"{place}[{index}]", violations)
    elif not field.is_repeated and isinstance(value, Mapping):
        child.SetInParent()
        _fill(child, value, place, violations)
    else:
        kind = "a list of objects" if field.is_repeated else "a list of strings" if tools else "an object"
        violations.append(FieldViolation(place, f"must be {kind}"))


def _wrong_type(field: _Field, value: object) -> str | None:
    """Says what a scalar must be when the value is something else."""
    if field.is_repeated:
        return None if _is_strings(value) else "must be a list of strings"
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            several = field.name in ("compliance", "denied_data") and _is_strings(value)
            return None if isinstance(value, str) or several else "must be a string"
        case FieldDescriptor.CPPTYPE_BOOL:
            return None if isinstance(value, bool) else "must be true or false"
        case FieldDescriptor.CPPTYPE_INT32:
            whole = isinstance(value, int) and not isinstance(value, bool) and value in _INT32
            return None if whole else "must be a whole number below 2147483648"
        case _:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return None if number else "must be a number"


def _is_strings(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _unknown(key: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"unknown key; did you mean {nearest[0]!r}?" if nearest else f"unknown key; known are {', '.join(known)}"
