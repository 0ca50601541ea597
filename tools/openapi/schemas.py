"""JSON Schemas (2020-12) of the messages, as requests write them and as answers hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Type

from tools.openapi.constraints import CONSTRAINTS, REQUIRED, RULES
from tools.openapi.contract import PACKAGE, Contract, Field, Message

Schema = dict[str, Any]
Reference = Callable[[str], Schema]

_SCALARS: Mapping[int, Schema] = {
    Type.TYPE_DOUBLE: {"type": "number", "format": "double"},
    Type.TYPE_FLOAT: {"type": "number", "format": "float"},
    Type.TYPE_INT32: {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    # proto3 JSON writes 64-bit integers as strings: a number of JavaScript cannot hold them all.
    Type.TYPE_INT64: {"type": "string", "format": "int64", "pattern": r"^-?[0-9]+$"},
    Type.TYPE_BOOL: {"type": "boolean"},
    Type.TYPE_STRING: {"type": "string"},
    Type.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}


class Schemas:
    """Schemas of messages on demand; `components` holds every one that was asked for.

    A message of a request is closed, for the server refuses keys it does not know, and its name ends in `Input` where answers hold the
    same message. A message of an answer is open, so that a newer server may say more, and requires what every answer has.
    """

    def __init__(self, contract: Contract) -> None:
        self._messages = contract.messages
        self.components: dict[str, Schema] = {}

    def answer(self, name: str) -> Schema:
        """A reference to the schema of a message as answers hold it."""
        message = self._messages[name]
        if message.name not in self.components:
            self.components[message.name] = {}  # known from here on, for messages that hold themselves
            self.components[message.name] = self._answer(message)
        return {"$ref": f"#/components/schemas/{message.name}"}

    def request(self, name: str, without: tuple[str, ...] = ()) -> Schema:
        """A reference to the schema of a message as requests write it, without the fields that the path holds."""
        message = self._messages[name]
        suffix = "Body" if without else "" if message.name.endswith("Request") else "Input"
        component = message.name.removesuffix("Request") + suffix if without else message.name + suffix
        if component not in self.components:
            self.components[component] = {}
            self.components[component] = self._request(message, without)
        return {"$ref": f"#/components/schemas/{component}"}

    def parameter(self, message: str, name: str) -> tuple[Schema, str]:
        """Schema and description of a field as a path or query parameter."""
        (field,) = (field for field in self._messages[message].fields if field.name == name)
        return self._constrained(self._messages[message], field, self._value(field, self.request)), field.comment

    def _answer(self, message: Message) -> Schema:
        properties = {field.name: _described(self._field(field, self.answer), field) for field in message.fields}
        required = [field.name for field in message.fields if not field.may_be_absent]
        schema: Schema = {"type": "object", "description": message.comment, "properties": properties}
        return schema | ({"required": required} if required else {})

    def _request(self, message: Message, without: tuple[str, ...]) -> Schema:
        required = [name for name in REQUIRED.get(message.name, ()) if name not in without]
        properties = {
            field.name: _described(self._input(message, field, required), field)
            for field in message.fields
            if field.name not in without
        }
        schema: Schema = {"type": "object", "description": message.comment, "properties": properties}
        return (
            schema
            | ({"required": required} if required else {})
            | RULES.get(message.name, {})
            | {"additionalProperties": False}
        )

    def _input(self, message: Message, field: Field, required: list[str]) -> Schema:
        """What is not required may be null, which is the same as absent."""
        schema = self._constrained(message, field, self._field(field, self.request))
        if field.name in required or message.name == "PolicyRule":
            return schema
        if isinstance(schema.get("type"), str) and "enum" not in schema:
            return schema | {"type": [schema["type"], "null"]}
        return {"anyOf": [schema, {"type": "null"}]}

    def _constrained(self, message: Message, field: Field, schema: Schema) -> Schema:
        return schema | CONSTRAINTS.get(f"{message.name}.{field.name}", {})

    def _field(self, field: Field, of: Reference) -> Schema:
        if not field.repeated:
            return self._value(field, of)
        entry = self._messages.get(field.descriptor.type_name.removeprefix("."))
        if entry is not None and entry.map_entry:
            return {"type": "object", "additionalProperties": self._value(entry.fields[1], of)}
        return {"type": "array", "items": self._value(field, of)}

    def _value(self, field: Field, of: Reference) -> Schema:
        kind, name = field.descriptor.type, field.descriptor.type_name.removeprefix(".")
        if kind != Type.TYPE_MESSAGE:
            return dict(_SCALARS[kind])
        if name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[name])
        if not name.startswith(f"{PACKAGE}."):
            raise ValueError(f"{field.name}: no schema is known for {name}")
        return of(name)


def _described(schema: Schema, field: Field) -> Schema:
    return schema | ({"description": field.comment} if field.comment else {})
