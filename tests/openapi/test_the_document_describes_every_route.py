"""The committed OpenAPI document: valid, complete, and made of the contract's own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from meshflow_grpc import __version__
from meshflow_grpc.envoy.bootstrap import load_descriptors
from meshflow_grpc.envoy.rest_routes import api_methods
from meshflow_grpc.rpc.authorization import is_public
from meshflow_grpc.rpc.servicers.rest import OPENAPI
from tests.openapi.schema import validator

DOCUMENT: dict[str, Any] = json.loads(OPENAPI.read_bytes())
ROUTES = [(method, binding) for method in api_methods(load_descriptors()) for binding in method.bindings]


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation, with its name for messages."""
    for path, item in DOCUMENT["paths"].items():
        for verb, operation in item.items():
            yield f"{verb.upper()} {path}", operation


def references(value: object) -> Iterator[str]:
    """Every $ref below a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_is_openapi_3_1() -> None:
    """By the validator of the OpenAPI specification, schemas and defaults included."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert (DOCUMENT["openapi"], DOCUMENT["info"]["version"]) == ("3.1.1", __version__)


def test_every_route_is_described_and_nothing_else() -> None:
    """The routes that Envoy is given."""
    served = {f"{binding.http_method} {binding.template}" for _, binding in ROUTES}

    assert served == {name for name, _ in operations()}


def test_every_operation_has_words_and_a_name_of_its_own() -> None:
    """Summary, tag and operationId."""
    names = [operation["operationId"] for _, operation in operations()]

    assert len(names) == len(set(names))
    assert all(operation["summary"] and operation["tags"] for _, operation in operations())


def test_every_field_is_explained() -> None:
    """Each property of each schema."""
    silent = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, of in schema["properties"].items()
        if "description" not in of and "const" not in of
    ]

    assert silent == []


def test_only_public_rpcs_need_no_credential() -> None:
    """`security: []` is where the server asks for nothing, and nowhere else."""
    public = {f"{binding.http_method} {binding.template}" for method, binding in ROUTES if is_public(method.grpc_path)}

    assert public == {name for name, operation in operations() if operation.get("security") == []}
    assert DOCUMENT["security"] == [{"bearer": []}, {"certificate": []}]


def test_every_component_is_used() -> None:
    """No schema, answer or header is left over."""
    used = set(references(DOCUMENT))
    given = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in DOCUMENT["components"][kind]
    }

    assert given == used


@pytest.mark.parametrize(("name", "operation"), list(operations()), ids=[name for name, _ in operations()])
def test_examples_fit_their_schemas(name: str, operation: dict[str, Any]) -> None:
    """Bodies, parameters and answers."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for example in content.get("examples", {}).values():
            validator(content["schema"]).validate(example["value"])
    for parameter in operation["parameters"]:
        if "example" in parameter:
            validator(parameter["schema"]).validate(parameter["example"])
    for content in operation["responses"]["200"].get("content", {}).values():
        if "example" in content:
            validator(content["schema"]).validate(content["example"])


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("RunRequest", {}),
        ("RunRequest", {"task": None}),
        ("RunRequest", {"task": "x", "polcy": {}}),
        ("RunRequest", {"task": "x", "policy": {"budget_usd": -1}}),
        ("RunRequest", {"task": "x", "policy": {"circuit_breaker": {"max_retry": 1}}}),
        ("RunRequest", {"task": "x", "labels": {"": "x"}}),
        ("EraseRunBody", {}),
        ("DecideApprovalBody", {"decision": "maybe"}),
        ("CancelRunBody", {"reason": 5}),
        ("RunResponse", {"run_id": "run_1"}),
    ],
)
def test_the_schemas_refuse_what_is_wrong(schema: str, value: object) -> None:
    """A request is closed, at every depth; an answer has what every answer has."""
    assert not validator({"$ref": f"#/components/schemas/{schema}"}).is_valid(value)
