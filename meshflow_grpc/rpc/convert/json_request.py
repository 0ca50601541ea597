"""Requests from the JSON face: the body as sent, so that a key the contract does not know is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.enforcement import NESTED_FIELDS, POLICY_FIELDS
from meshflow_grpc.governance.policy_fields import kind_of
from meshflow_grpc.rpc.convert.run_request import REQUEST_FIELDS, parse_run_request, unknown_key
from meshflow_grpc.rpc.convert.struct import struct_to_dict

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc.domain.run import RunRequest

_FORK_FIELDS: dict[str, type] = {"before_sequence": int, "before_node": str, "request_id": str}
_ERASE_FIELDS: dict[str, type] = {"basis": str, "mode": str, "include_forks": bool}
_KIND_NAMES = {int: "an integer", float: "a number", str: "a string", bool: "true or false", list: "an array"}
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def request_from_json(body: Struct) -> RunRequest:
    """Raises InvalidRequestError naming every problem. Keys may be written in lowerCamelCase too, as proto3 JSON allows."""
    fields = _snake(struct_to_dict(body), REQUEST_FIELDS)
    policy = fields.get("policy")
    if isinstance(policy, Mapping):
        fields["policy"] = _policy(policy)
    return parse_run_request(fields)


def _policy(policy: Mapping[str, object]) -> dict[str, object]:
    fields = _snake(policy, POLICY_FIELDS)
    for name, known in NESTED_FIELDS.items():
        nested = fields.get(name)
        if isinstance(nested, Mapping):
            fields[name] = _snake(nested, known)
    return fields


def _snake(fields: Mapping[str, object], known: tuple[str, ...]) -> dict[str, object]:
    renamed: dict[str, object] = {}
    for key, value in fields.items():
        snake = _HUMP.sub(lambda m: "_" + m.group(1).lower(), key)
        name = snake if key not in known and snake in known else key
        if name in renamed:
            raise InvalidRequestError.of(FieldViolation(name, "is given twice"))
        renamed[name] = value
    return renamed


def text_from_json(body: Struct, name: str, *, required: bool = False) -> str:
    """A body of one text: ``{"NAME": "..."}``, or ``{}`` where it is optional; raises InvalidRequestError naming every problem."""
    text = typed_fields(body, {name: str}).get(name)
    if text is None and required:
        raise InvalidRequestError.of(FieldViolation(name, "is required: a string"))
    return text or ""


def fork_from_json(body: Struct) -> tuple[ForkPoint, str]:
    """A body with ``before_sequence`` or ``before_node``, and ``request_id``; raises InvalidRequestError naming every problem."""
    fields = typed_fields(body, _FORK_FIELDS)
    return ForkPoint(fields.get("before_sequence", 0), fields.get("before_node", "")), fields.get("request_id", "")


def erasure_from_json(body: Struct) -> dict[str, Any]:
    """A body with ``basis``, ``mode`` and ``include_forks``; raises InvalidRequestError naming every problem."""
    return {"basis": ""} | typed_fields(body, _ERASE_FIELDS)


def typed_fields(body: Struct, known: Mapping[str, type], required: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A body of fields of known types; raises InvalidRequestError naming every problem. ``required`` says what each such field is."""
    given = _snake(struct_to_dict(body), tuple(known))
    fields = {name: value for name, value in given.items() if value is not None or name not in known}
    problems = [FieldViolation(key, unknown_key(key, tuple(known))) for key in fields if key not in known]
    problems += [
        FieldViolation(name, f"expected {_KIND_NAMES[known[name]]}, got {kind_of(value)}")
        for name, value in fields.items()
        if name in known and type(value) is not known[name] and not (known[name] is float and type(value) is int)
    ]
    missing = (name for name in required or () if name not in fields)
    problems += [FieldViolation(name, f"is required: {(required or {})[name]}") for name in missing]
    if problems:
        raise InvalidRequestError.of(*problems)
    return fields
