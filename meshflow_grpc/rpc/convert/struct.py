"""google.protobuf.Struct as plain Python and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue

MAX_DEPTH = 100
_EXACT = 2**53


def struct_to_dict(struct: Struct, *, path: str = "body") -> dict[str, JsonValue]:
    """Integral numbers below 2^53 become integers. Raises InvalidRequestError when nested deeper than 100 levels."""
    return {key: _plain(value, 1, path) for key, value in struct.fields.items()}


def _plain(value: Value, depth: int, path: str) -> JsonValue:
    if depth > MAX_DEPTH:
        raise InvalidRequestError.of(FieldViolation(path, f"is nested deeper than {MAX_DEPTH} levels"))
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < _EXACT else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return {k: _plain(v, depth + 1, path) for k, v in value.struct_value.fields.items()}
        case "list_value":
            return _items(value.list_value, depth, path)
        case _:
            return None


def _items(values: ListValue, depth: int, path: str) -> list[JsonValue]:
    return [_plain(v, depth + 1, path) for v in values.values]
