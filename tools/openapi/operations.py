"""The operations: one per REST route. A route of the JSON face is described by the typed RPC it is the twin of."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Type

from meshflow_grpc.commands.export_run import CONTENT_TYPES
from meshflow_grpc.rpc.authorization import allowed_roles, is_public
from tools.openapi.constraints import REQUIRED
from tools.openapi.contract import PACKAGE, Contract, Method, Route
from tools.openapi.errors import NAMES, statuses
from tools.openapi.examples import ANSWERS, BODIES, QUERIES
from tools.openapi.schemas import Schema, Schemas

_TWINS = {"WatchRunEvents": "WatchRun", "WatchMeshEvents": "WatchMesh"}
_RAW = "google.api.HttpBody"
_RAW_TYPES = {"ExportRun": tuple(kind.partition(";")[0] for kind in CONTENT_TYPES.values())}
_SSE = "text/event-stream"
_REST_HINT = re.compile(r"\s*REST: [A-Z]+ \S+(?:, as Server-Sent Events)?\.(?=\s|$)")
_ID = {"minLength": 1, "pattern": "^[^/:]+$"}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "What an EventSource sends when it reconnects: the `id:` of the last event it saw. It wins over after_sequence.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
}

_KEYED = {"Run", "StreamRun", "CreateRun", "ForkRun"}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The body's request_id, if the body has none.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
}


def paths(contract: Contract, schemas: Schemas) -> dict[str, dict[str, Schema]]:
    """Returns the path items; their schemas are added to `schemas`."""
    found: dict[str, dict[str, Schema]] = {}
    for route in contract.routes:
        found.setdefault(route.path, {})[route.verb] = _operation(contract, route, schemas)
    return dict(sorted(found.items()))


def _operation(contract: Contract, route: Route, schemas: Schemas) -> Schema:
    rpc = _described_by(contract, route.method)
    public = is_public(f"/{PACKAGE}.{route.method.service}/{route.method.name}")
    name = _operation_id(contract, route, rpc)
    summary, _, more = _REST_HINT.sub("", rpc.comment).partition(". ")
    operation: Schema = {
        "operationId": name,
        "tags": [rpc.service],
        "summary": summary.removesuffix("."),
        "description": _description(rpc, route, more),
        "parameters": [*_path_parameters(route, rpc, schemas), *_query_parameters(contract, route, rpc, schemas)],
    }
    if route.body:
        operation["requestBody"] = _body(route, rpc, schemas)
    errors = statuses(public=public, takes_body=bool(route.body))
    operation["responses"] = {
        "200": _answer(route, rpc, schemas),
        **{str(status): {"$ref": f"#/components/responses/{NAMES[status]}"} for status in errors},
    }
    return operation | ({"security": []} if public else {})


def _operation_id(contract: Contract, route: Route, rpc: Method) -> str:
    """The RPC's name; further bindings of it say what they are: the verb, or what their path names."""
    first = next(each for each in contract.routes if each.method == route.method)
    if route is first:
        return rpc.name
    if route.verb != first.verb:
        return f"{rpc.name}{route.verb.title()}"
    return f"{rpc.name}By{''.join(name.title() for name in route.variables)}"


def _described_by(contract: Contract, method: Method) -> Method:
    twin = _TWINS.get(method.name, method.name.removesuffix("Json"))
    return contract.methods[twin]


def _description(rpc: Method, route: Route, more: str) -> str:
    method = f"/{PACKAGE}.{route.method.service}/{route.method.name}"
    needs = "no credential" if is_public(method) else f"one of the roles {', '.join(sorted(allowed_roles(method)))}"
    return f"{more}\n\ngRPC: `{rpc.service}.{rpc.name}`. Needs {needs}.".strip()


def _path_parameters(route: Route, rpc: Method, schemas: Schemas) -> list[Schema]:
    found = []
    for name in route.variables:
        schema, comment = schemas.parameter(rpc.request, name)
        found.append({"name": name, "in": "path", "required": True, "description": comment, "schema": schema | _ID})
    return found


def _query_parameters(contract: Contract, route: Route, rpc: Method, schemas: Schemas) -> list[Schema]:
    if route.body:
        return [_IDEMPOTENCY_KEY] if rpc.name in _KEYED else []
    message = contract.messages[rpc.request]
    found = []
    for field in message.fields:
        if field.name in route.variables:
            continue
        schema, comment = schemas.parameter(rpc.request, field.name)
        if field.descriptor.type == Type.TYPE_INT64:  # in a query it is written as a number
            schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**63 - 1}
        if "enum" in schema and not field.may_be_absent:
            schema = schema | {"enum": [*schema["enum"], ""]}  # as absent
        if field.repeated:  # named again for each
            schema = {"type": "array", "items": schema}
        parameter = {"name": field.name, "in": "query", "description": comment, "schema": schema}
        example = QUERIES.get(rpc.name, {}).get(field.name)
        required = field.name in REQUIRED.get(message.name, ())
        found.append(
            parameter | ({"required": True} if required else {}) | ({} if example is None else {"example": example})
        )
    return [*found, *([_LAST_EVENT_ID] if rpc.name in _TWINS.values() else [])]


def _body(route: Route, rpc: Method, schemas: Schemas) -> Schema:
    content: Schema = {"schema": schemas.request(rpc.request, without=route.variables)}
    name = content["schema"]["$ref"].rpartition("/")[2]
    if rpc.name in BODIES:
        content["examples"] = {name: {"summary": summary, "value": value} for name, summary, value in BODIES[rpc.name]}
    required = any("required" in one for one in (schemas.components[name], *schemas.components[name].get("anyOf", ())))
    return {"required": required, "content": {"application/json": content}}


def _answer(route: Route, rpc: Method, schemas: Schemas) -> Schema:
    answer: Schema = {
        "description": "OK",
        "headers": {"x-request-id": {"$ref": "#/components/headers/x-request-id"}},
    }
    if route.verb == "head":
        return answer
    return answer | {"content": _content(rpc, schemas)}


def _content(rpc: Method, schemas: Schemas) -> dict[str, Any]:
    if rpc.streams and rpc.response != _RAW:
        return {_SSE: {"schema": _sse(schemas.answer(rpc.response))}}
    if rpc.response == _RAW:
        kinds = _RAW_TYPES.get(rpc.name, ("application/json",))
        return {kind: {} if kind == "application/json" else {"schema": {"type": "string"}} for kind in kinds}
    content: Schema = {"schema": schemas.answer(rpc.response)}
    return {"application/json": content | ({"example": ANSWERS[rpc.name]} if rpc.name in ANSWERS else {})}


def _sse(event: Schema) -> Schema:
    """One event of a stream: before OpenAPI 3.2 the schema of text/event-stream is read as that of each event."""
    return {
        "type": "object",
        "description": "Server-Sent Events, each with one event as JSON in its `data:`. Lines with a colon in front are comments.",
        "properties": {
            "id": {
                "type": "string",
                "description": "Sequence of the event; send it as Last-Event-ID to go on after it.",
            },
            "event": {"const": "message"},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": event},
        },
        "required": ["data"],
    }
