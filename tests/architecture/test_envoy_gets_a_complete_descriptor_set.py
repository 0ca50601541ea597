"""Envoy transcodes only what its descriptor set describes."""

from __future__ import annotations

import pytest
from google.api import annotations_pb2

from tests.architecture.descriptors import descriptor_set


@pytest.mark.parametrize(
    "name", ["google/rpc/status.proto", "google/rpc/error_details.proto", "google/api/httpbody.proto"]
)
def test_error_details_and_raw_bodies_are_described(name: str) -> None:
    """Without these Envoy prints error details as opaque bytes and refuses raw bodies."""
    assert name in {file.name for file in descriptor_set().file}


def test_every_import_is_included() -> None:
    """Each file's imports come before it, so the set loads by itself."""
    seen: set[str] = set()
    for file in descriptor_set().file:
        assert set(file.dependency) <= seen, file.name
        seen.add(file.name)


def test_no_route_unwraps_a_response() -> None:
    """Envoy refuses `response_body` on anything but raw bodies, so no route uses it."""
    routes = {
        f"{service.name}.{method.name}": method.options.Extensions[annotations_pb2.http]
        for file in descriptor_set().file
        for service in file.service
        for method in service.method
        if method.options.HasExtension(annotations_pb2.http)
    }

    assert routes
    assert [name for name, rule in routes.items() if rule.response_body] == []


def test_comments_are_left_out() -> None:
    """The set holds no source information, so it stays small and changes only when the API does."""
    assert not any(file.HasField("source_code_info") for file in descriptor_set().file)
