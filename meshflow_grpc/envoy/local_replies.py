"""The answers Envoy gives itself, in the JSON shape of google.rpc.Status that every other error has."""

from __future__ import annotations

from typing import Any

# HTTP status -> (gRPC code, reason of meshflow.v1.ErrorReason without its prefix).
LOCAL_ERRORS: dict[int, tuple[int, str]] = {
    401: (16, "UNAUTHENTICATED"),
    403: (7, "PERMISSION_DENIED"),
    404: (5, "ROUTE_NOT_FOUND"),
    405: (12, "METHOD_NOT_ALLOWED"),
    408: (4, "DEADLINE_EXCEEDED"),
    413: (8, "REQUEST_TOO_LARGE"),
    429: (8, "RATE_LIMITED"),
    431: (8, "REQUEST_TOO_LARGE"),
    502: (14, "NOT_READY"),
    503: (14, "NOT_READY"),
    504: (4, "DEADLINE_EXCEEDED"),
}
OTHER_CLIENT_ERROR = (3, "INVALID_REQUEST")
OTHER_SERVER_ERROR = (13, "INTERNAL")
# What Envoy says of requests that it refuses without a text, before it looks for a route; besides http1.*, of its HTTP/1.1 codec.
UNREADABLE = (
    "missing_host_header",
    "path_normalization_failed",
    "query_missing_content_type",
)


def error_body(code: int, reason: str, message: str = "%LOCAL_REPLY_BODY%") -> dict[str, Any]:
    """Returns the JSON format of an error; without a message it is Envoy's own text."""
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "meshflow.dev",
        "metadata": {},
    }
    return {"json_format": {"code": code, "message": message, "details": [detail]}}


def local_reply_config(messages: dict[int, str]) -> dict[str, Any]:
    """Returns Envoy's local_reply_config: plain text for native gRPC, JSON for everything else.

    `messages` replaces Envoy's text for some HTTP statuses.
    """
    exact = [
        {
            "filter": _status("EQ", http),
            "body_format_override": error_body(*error, messages.get(http, "%LOCAL_REPLY_BODY%")),
        }
        for http, error in LOCAL_ERRORS.items()
    ]
    server = {"filter": _status("GE", 500), "body_format_override": error_body(*OTHER_SERVER_ERROR)}
    mappers = [_native_grpc(), _unreadable(), *exact, server]
    return {"mappers": mappers, "body_format": error_body(*OTHER_CLIENT_ERROR)}


def _status(operator: str, http: int) -> dict[str, Any]:
    value = {"default_value": http, "runtime_key": f"meshflow.local_reply_{http}"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}


def _unreadable() -> dict[str, Any]:
    said = ", ".join(f"'{details}'" for details in UNREADABLE)
    expression = {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        "expression": "response.code == 400 && "
        f"(response.code_details.startsWith('http1.') || response.code_details in [{said}])",
    }
    extension = {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": expression}
    body = error_body(*OTHER_CLIENT_ERROR, "the request is not valid HTTP: %RESPONSE_CODE_DETAILS%")
    return {"filter": {"extension_filter": extension}, "body_format_override": body}


def _native_grpc() -> dict[str, Any]:
    """Without this the grpc-message of a native gRPC error would be a JSON document."""
    content_type = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    transcoded = {"name": "x-envoy-original-path", "present_match": True, "invert_match": True}
    conditions = [{"header_filter": {"header": content_type}}, {"header_filter": {"header": transcoded}}]
    plain = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}}
    return {"filter": {"and_filter": {"filters": conditions}}, "body_format_override": plain}
