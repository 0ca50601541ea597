"""RunRequest from its protobuf message."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from meshflow_grpc._gen.meshflow.v1 import policy_pb2
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import EventView
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from meshflow_grpc.rpc.convert.run_request import parse_run_request
from meshflow_grpc.rpc.convert.struct import struct_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from meshflow_grpc._gen.meshflow.v1 import run_pb2
    from meshflow_grpc.domain.run import RunRequest

# Callers, nodes of a mesh above all, send few different policies: the last 256 of up to so many bytes are parsed once.
MAX_KEPT_BYTES: Final = 4096


def request_from_proto(message: run_pb2.RunRequest) -> RunRequest:
    """Raises InvalidRequestError naming every bad field; fields of a newer contract are refused, not dropped."""
    _refuse_unknown(message, "request")
    fields: dict[str, object] = {}
    for descriptor, value in message.ListFields():
        if descriptor.name == "input":
            fields["input"] = struct_to_dict(message.input, path="input")
        elif descriptor.name == "policy":
            fields["policy"] = message.policy
        else:
            fields[descriptor.name] = dict(value) if descriptor.name == "labels" else value
    return parse_run_request(fields, _policy)


def _policy(message: policy_pb2.Policy) -> Mapping[str, object]:
    data = message.SerializeToString()
    return (_kept if len(data) <= MAX_KEPT_BYTES else _parsed)(data)


def _parsed(data: bytes) -> Mapping[str, object]:
    """The fields that are set; what requests share may not be changed."""
    message = policy_pb2.Policy.FromString(data)
    _refuse_unknown(message, "policy")
    plain = {each.name: _plain(value, f"policy.{each.name}") for each, value in message.ListFields()}
    return MappingProxyType(parse_policy_fields(plain))


_kept = lru_cache(maxsize=256)(_parsed)


def _plain(value: Any, path: str) -> object:
    if hasattr(value, "ListFields"):
        _refuse_unknown(value, path)
        return {d.name: _plain(v, f"{path}.{d.name}") for d, v in value.ListFields()}
    if isinstance(value, (str, bool, int, float)):
        return value
    return [_plain(item, path) for item in value]


def _refuse_unknown(message: Message, path: str) -> None:
    unknown = UnknownFieldSet(message)
    numbers = [str(unknown[i].field_number) for i in range(len(unknown))]
    if numbers:
        listed = ", ".join(numbers)
        problem = FieldViolation(path, f"holds fields this server does not know (numbers {listed}); leave them out")
        raise InvalidRequestError.of(problem)


def event_view(word: str) -> EventView:
    """The view a watcher asks for; empty means basic."""
    if word and word not in list(EventView):
        problem = FieldViolation("event_view", f"must be one of {', '.join(EventView)}, got {word!r}")
        raise InvalidRequestError.of(problem)
    return EventView(word or EventView.BASIC)
