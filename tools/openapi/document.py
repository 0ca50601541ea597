"""The OpenAPI 3.1 document of the REST face."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from meshflow_grpc import __version__
from meshflow_grpc.rpc.authorization import ALLOWED, is_public
from tools.openapi.constraints import CONSTRAINTS, REQUIRED
from tools.openapi.contract import PACKAGE, Contract, contract_of
from tools.openapi.errors import error_responses, error_schemas
from tools.openapi.operations import paths
from tools.openapi.schemas import Schemas

DESCRIPTION = """\
The REST face of meshflow: governed runs of AI agents. The same RPCs are served over gRPC and gRPC-Web on the same port.

A request body is a JSON object. A key that is not in its schema is refused, at any depth, with the nearest known one;
keys may be written in lowerCamelCase too; `null` is absent. 64-bit integers are strings.

A refusal by governance is an outcome, not an error: once a run exists the answer is 200 and `status` tells. Every error
has the shape of the schema Error, and names what is wrong, where, and how to mend it.\
"""
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key or a JSON Web Token, as MESHFLOW_AUTH says; with `none` the server asks for no credential.",
    },
    "certificate": {"type": "mutualTLS", "description": "The client's certificate, where MESHFLOW_AUTH is `mtls`."},
}
_REQUEST_ID = {
    "description": "Names the request in the server's log. A caller may choose it by sending the same header.",
    "required": True,
    "schema": {"type": "string"},
}


def openapi_json(descriptors: bytes) -> bytes:
    """Returns the document of a serialized FileDescriptorSet that holds comments. Raises ValueError when something does not fit."""
    contract = contract_of(FileDescriptorSet.FromString(descriptors))
    _refuse_strangers(contract)
    _require_roles(contract)
    return (json.dumps(_document(contract), indent=1, ensure_ascii=False) + "\n").encode()


def _document(contract: Contract) -> dict[str, Any]:
    schemas = Schemas(contract)
    found = paths(contract, schemas)
    tags = sorted({operation["tags"][0] for item in found.values() for operation in item.values()})
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "meshflow",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server this document comes from."}],
        "security": [{"bearer": []}, {"certificate": []}],
        "tags": [{"name": tag, "description": contract.services[tag]} for tag in tags],
        "paths": found,
        "components": {
            "schemas": dict(sorted((schemas.components | error_schemas(contract)).items())),
            "responses": error_responses(contract),
            "headers": {"x-request-id": _REQUEST_ID},
            "securitySchemes": _SECURITY,
        },
    }


def _refuse_strangers(contract: Contract) -> None:
    fields = {f"{message.name}.{field.name}" for message in contract.messages.values() for field in message.fields}
    required = {f"{message}.{field}" for message, names in REQUIRED.items() for field in names}
    strangers = sorted((CONSTRAINTS.keys() | required) - fields)
    if strangers:
        raise ValueError(f"tools/openapi/constraints.py names fields that are not there: {', '.join(strangers)}")


def _require_roles(contract: Contract) -> None:
    methods = {f"/{PACKAGE}.{route.method.service}/{route.method.name}" for route in contract.routes}
    missing = sorted(method for method in methods - ALLOWED.keys() if not is_public(method))
    if missing:
        raise ValueError(f"meshflow_grpc/rpc/authorization.py has no roles for {', '.join(missing)}")
