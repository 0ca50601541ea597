"""The API's protos with their comments, as plain data: messages, RPCs, and the REST routes that reach them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

PACKAGE = "meshflow.v1"
_VERBS = ("get", "put", "post", "delete", "patch")
_VARIABLE = re.compile(r"\{([a-z_]+)\}")
# Fields of FileDescriptorProto, DescriptorProto and ServiceDescriptorProto, as paths of comments name them.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _VALUES, _METHODS = 2, 2, 2
_NESTED = 3
_REASON = "ERROR_REASON_"

Comments = Mapping[tuple[int, ...], str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field and what its comment says."""

    descriptor: FieldDescriptorProto
    comment: str

    @property
    def name(self) -> str:
        """As JSON has it."""
        return self.descriptor.name

    @property
    def repeated(self) -> bool:
        """Whether it is a list, or a map."""
        return self.descriptor.label == FieldDescriptorProto.LABEL_REPEATED

    @property
    def may_be_absent(self) -> bool:
        """Whether an answer leaves it out when it is not set: `optional`, or a message."""
        is_message = self.descriptor.type == FieldDescriptorProto.TYPE_MESSAGE
        return not self.repeated and (self.descriptor.proto3_optional or is_message)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the API; `map_entry` when it is how a map is written on the wire."""

    name: str
    comment: str
    fields: tuple[Field, ...]
    map_entry: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC. Types are full names without a leading dot."""

    service: str
    name: str
    comment: str
    request: str
    response: str
    streams: bool


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP method and path of an RPC; `body` is the request's field that the body is, "*" all of it, "" none."""

    method: Method
    verb: str
    path: str
    body: str

    @property
    def variables(self) -> tuple[str, ...]:
        """Names in the path."""
        return tuple(_VARIABLE.findall(self.path))


@dataclass(frozen=True, slots=True)
class Contract:
    """All of it; messages by full name."""

    messages: Mapping[str, Message]
    methods: Mapping[str, Method]
    routes: tuple[Route, ...]
    services: Mapping[str, str]  # with what their comments say
    reasons: Mapping[str, str]  # of errors, without their prefix, with what their comments say


def contract_of(descriptors: FileDescriptorSet) -> Contract:
    """Reads a descriptor set made with source information. Raises ValueError when it has none, or no route."""
    files = [file for file in descriptors.file if file.package == PACKAGE]
    if not all(file.HasField("source_code_info") for file in files):
        raise ValueError("the descriptor set has no comments; make it with --include_source_info")
    messages: dict[str, Message] = {}
    routes: list[Route] = []
    methods: dict[str, Method] = {}
    services: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for file in files:
        comments = _comments(file)
        services |= {s.name: comments.get((_SERVICES, n), "") for n, s in enumerate(file.service)}
        reasons |= _reasons(file, comments)
        for number, message in enumerate(file.message_type):
            messages |= _messages(f"{file.package}.", message, (_MESSAGES, number), comments)
        for method, descriptor in _methods(file, comments):
            methods.setdefault(method.name, method)
            routes += _routes(method, descriptor)
    if not routes:
        raise ValueError("no RPC has a REST route")
    return Contract(messages, methods, tuple(routes), services, reasons)


def _comments(file: FileDescriptorProto) -> Comments:
    return {
        tuple(location.path): " ".join(line.strip() for line in location.leading_comments.splitlines()).strip()
        for location in file.source_code_info.location
    }


def _reasons(file: FileDescriptorProto, comments: Comments) -> dict[str, str]:
    return {
        value.name.removeprefix(_REASON): comments.get((_ENUMS, place, _VALUES, number), "")
        for place, enum in enumerate(file.enum_type)
        if enum.name == "ErrorReason"
        for number, value in enumerate(enum.value)
        if value.number
    }


def _messages(
    prefix: str, message: DescriptorProto, path: tuple[int, ...], comments: Comments
) -> Iterator[tuple[str, Message]]:
    fields = tuple(
        Field(field, comments.get((*path, _FIELDS, number), "")) for number, field in enumerate(message.field)
    )
    yield prefix + message.name, Message(message.name, comments.get(path, ""), fields, message.options.map_entry)
    for number, nested in enumerate(message.nested_type):
        yield from _messages(f"{prefix}{message.name}.", nested, (*path, _NESTED, number), comments)


def _methods(file: FileDescriptorProto, comments: Comments) -> Iterator[tuple[Method, MethodDescriptorProto]]:
    for place, service in enumerate(file.service):
        for number, method in enumerate(service.method):
            yield (
                Method(
                    service.name,
                    method.name,
                    comments.get((_SERVICES, place, _METHODS, number), ""),
                    method.input_type.removeprefix("."),
                    method.output_type.removeprefix("."),
                    method.server_streaming,
                ),
                method,
            )


def _routes(method: Method, descriptor: MethodDescriptorProto) -> Iterator[Route]:
    rule = descriptor.options.Extensions[annotations_pb2.http]
    for one in (rule, *rule.additional_bindings):
        if one.HasField("custom"):
            yield Route(method, one.custom.kind.lower(), one.custom.path, one.body)
        for verb in _VERBS:
            if one.HasField(verb):
                yield Route(method, verb, getattr(one, verb), one.body)
