"""Requests from the JSON face: the body as sent, so that a key the contract does not know is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.enforcement import NESTED_FIELDS, POLICY_FIELDS
from meshflow_grpc.governance.policy_fields import kind_of
from meshflow_grpc.rpc.convert.run_request import REQUEST_FIELDS, parse_run_request, unknown_key
from meshflow_grpc.rpc.convert.struct import struct_to_dict

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc.domain.run import RunRequest

_FORK_FIELDS = ("before_sequence", "before_node")
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


def text_from_json(body: Struct, name: str) -> str:
    """A body of one optional text: ``{}`` or ``{"NAME": "..."}``; raises InvalidRequestError naming every problem."""
    fields = struct_to_dict(body)
    problems = [FieldViolation(key, unknown_key(key, (name,))) for key in fields if key != name]
    text = fields.get(name, "")
    if not isinstance(text, str):
        problems.append(FieldViolation(name, f"expected a string, got {kind_of(text)}"))
    if problems:
        raise InvalidRequestError.of(*problems)
    return str(text)


def fork_point_from_json(body: Struct) -> ForkPoint:
    """A body with ``before_sequence`` or ``before_node``; raises InvalidRequestError naming every problem."""
    fields = _snake(struct_to_dict(body), _FORK_FIELDS)
    problems = [FieldViolation(key, unknown_key(key, _FORK_FIELDS)) for key in fields if key not in _FORK_FIELDS]
    sequence, node = fields.get("before_sequence", 0), fields.get("before_node", "")
    if not isinstance(sequence, int) or isinstance(sequence, bool):
        problems.append(FieldViolation("before_sequence", f"expected an integer, got {kind_of(sequence)}"))
    if not isinstance(node, str):
        problems.append(FieldViolation("before_node", f"expected a string, got {kind_of(node)}"))
    if problems:
        raise InvalidRequestError.of(*problems)
    return ForkPoint(cast("int", sequence), cast("str", node))
