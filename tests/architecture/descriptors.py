"""The descriptor set Envoy is given, read as data."""

from __future__ import annotations

from functools import cache

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.architecture.repository import PACKAGE


@cache
def descriptor_set() -> FileDescriptorSet:
    """Returns the committed descriptor set."""
    return FileDescriptorSet.FromString((PACKAGE / "envoy" / "descriptors.binpb").read_bytes())


def rpcs() -> dict[str, tuple[str, ...]]:
    """Returns the RPC names of each of our services."""
    return {
        service.name: tuple(method.name for method in service.method)
        for file in descriptor_set().file
        if file.package == "meshflow.v1"
        for service in file.service
    }
