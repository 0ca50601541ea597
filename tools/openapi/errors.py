"""The one shape of errors, and which reason comes with which HTTP status."""

from __future__ import annotations

from typing import Any

from grpc import StatusCode

from meshflow_grpc.envoy.local_replies import LOCAL_ERRORS
from meshflow_grpc.rpc.error_status import CODES
from tools.openapi.contract import Contract

Schema = dict[str, Any]

# As Envoy maps gRPC codes.
HTTP = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.ABORTED: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}
NAMES = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "NotFound",
    408: "RequestTimeout",
    409: "Conflict",
    413: "BodyTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    431: "HeadersTooLarge",
    500: "InternalError",
    502: "BadGateway",
    503: "Unavailable",
    504: "DeadlineExceeded",
}
# By Envoy itself, without a reason of their own.
_INVALID = {408: "DEADLINE_EXCEEDED", 415: "INVALID_REQUEST"}
_EVERYWHERE = (400, 431, 500, 502, 503, 504)
_WITH_A_CREDENTIAL = (401, 403, 404, 409, 429)
_WITH_A_BODY = (408, 413, 415)
_URL = "type.googleapis.com/google.rpc."


def statuses(*, public: bool, takes_body: bool) -> list[int]:
    """The error statuses that an operation may answer with."""
    found = [*_EVERYWHERE, *(() if public else _WITH_A_CREDENTIAL), *(_WITH_A_BODY if takes_body else ())]
    return sorted(found)


def error_responses(contract: Contract) -> Schema:
    """The error answers, by name; each lists its reasons and what they mean."""
    by_status: dict[int, list[str]] = {status: [] for status in NAMES}
    pairs = [(HTTP[code], reason.value) for reason, code in CODES.items()]
    pairs += [(status, reason) for status, (_, reason) in LOCAL_ERRORS.items()] + list(_INVALID.items())
    for status, reason in pairs:
        if reason not in by_status.get(status, [reason]):
            by_status[status].append(reason)
    return {NAMES[status]: _response(contract, reasons) for status, reasons in by_status.items()}


def _response(contract: Contract, reasons: list[str]) -> Schema:
    listed = "\n".join(f"- `{reason}`: {contract.reasons[reason]}" for reason in reasons)
    return {
        "description": f"One of these reasons:\n\n{listed}",
        "headers": {"x-request-id": {"$ref": "#/components/headers/x-request-id"}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def error_schemas(contract: Contract) -> dict[str, Schema]:
    """google.rpc.Status and its details as JSON (AIP-193)."""
    reasons = {"type": "string", "description": "What happened, for programs.", "examples": list(contract.reasons)[:1]}
    info = {"reason": reasons, "domain": {"const": "meshflow.dev"}, "metadata": _map("More about it, by name.")}
    violation = {
        "field": {"type": "string", "description": "Path of the field."},
        "description": {"type": "string", "description": "What is wrong with it, and how to mend it."},
    }
    violations = {
        "type": "array",
        "items": {"type": "object", "properties": violation, "required": list(violation)},
        "description": "Every field that is wrong.",
    }
    delay = {
        "type": "string",
        "pattern": r"^[0-9]+(\.[0-9]+)?s$",
        "description": "Wait at least as long, for example 1s.",
    }
    details = [f"#/components/schemas/{name}" for name in ("ErrorInfo", "BadRequestDetail", "RetryInfo")]
    status = {
        "code": {"type": "integer", "description": "The gRPC status code."},
        "message": {"type": "string", "description": "What happened, for people."},
        "details": {
            "type": "array",
            "items": {"anyOf": [{"$ref": ref} for ref in details]},
            "description": "More about it: an ErrorInfo, and where they apply a BadRequest and a RetryInfo.",
        },
    }
    return {
        "Error": _object("An error (google.rpc.Status as JSON).", status, ["code", "message", "details"]),
        "ErrorInfo": _detail("The reason of an error.", "ErrorInfo", info),
        "BadRequestDetail": _detail("What is wrong with a request.", "BadRequest", {"field_violations": violations}),
        "RetryInfo": _detail("When to try again.", "RetryInfo", {"retry_delay": delay}),
    }


def _map(description: str) -> Schema:
    return {"type": "object", "additionalProperties": {"type": "string"}, "description": description}


def _object(description: str, properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "description": description, "properties": properties, "required": required}


def _detail(description: str, name: str, properties: Schema) -> Schema:
    kind = {"@type": {"const": f"{_URL}{name}"}}
    return _object(description, kind | properties, ["@type", *properties])
