"""Reads the API's methods and their REST bindings from the descriptor set, so that no route is written twice."""

from __future__ import annotations

import re
from dataclasses import dataclass

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto, MethodOptions

_PROBE_SERVICE = "SystemService"
_VERBS = ("get", "put", "post", "delete", "patch")
_VARIABLE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class RestBinding:
    """One HTTP method and path template that reach an RPC."""

    http_method: str
    template: str
    takes_body: bool

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the path's variables."""
        return tuple(_VARIABLE.findall(self.template))

    @property
    def path_regex(self) -> str | None:
        """RE2 expression for the whole path, or None when the template has no variable."""
        if not self.variables:
            return None
        pieces = _VARIABLE.split(self.template)[::2]
        return "[^/:]+".join(re.escape(piece) for piece in pieces)


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """One RPC as the proxy sees it."""

    service: str
    name: str
    streams: bool
    read_only: bool
    bindings: tuple[RestBinding, ...]

    @property
    def is_probe(self) -> bool:
        """Whether balancers ask it, often and without a token."""
        return self.service.endswith(f".{_PROBE_SERVICE}")

    @property
    def grpc_path(self) -> str:
        """The HTTP/2 path of the RPC."""
        return f"/{self.service}/{self.name}"


def api_methods(descriptors: bytes) -> tuple[ApiMethod, ...]:
    """Returns every RPC of a serialized FileDescriptorSet in the order of the files. Raises ValueError when there is none."""
    files = FileDescriptorSet.FromString(descriptors).file
    found = tuple(
        _method(f"{file.package}.{service.name}", method)
        for file in files
        for service in file.service
        for method in service.method
    )
    if not found:
        raise ValueError("the descriptor set describes no service; make it anew: make gen")
    return found


def _method(service: str, method: MethodDescriptorProto) -> ApiMethod:
    return ApiMethod(
        service=service,
        name=method.name,
        streams=method.server_streaming,
        read_only=method.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
        bindings=_bindings(method.options.Extensions[annotations_pb2.http]),
    )


def _bindings(rule: HttpRule) -> tuple[RestBinding, ...]:
    return tuple(
        RestBinding(kind, path, bool(one.body))
        for one in (rule, *rule.additional_bindings)
        for kind, path in [_verb_and_path(one)]
        if path
    )


def _verb_and_path(rule: HttpRule) -> tuple[str, str]:
    if rule.HasField("custom"):
        return rule.custom.kind, rule.custom.path
    for verb in _VERBS:
        if rule.HasField(verb):
            return verb.upper(), getattr(rule, verb)
    return "", ""
