"""The HTTP filters in their order: gRPC-Web, strict JSON and answer headers on REST routes, transcoding, routing."""

from __future__ import annotations

from importlib import resources
from typing import Any

from meshflow_grpc.envoy.rest_routes import ApiMethod

HTTP = "type.googleapis.com/envoy.extensions.filters.http"
REQUEST_HEADERS = "meshflow.request_headers"
BODY_LIMIT = "meshflow.body_limit"
JSON_PARSER = "envoy.filters.http.json_to_metadata"
JSON_CHECK = "meshflow.json_body"
HEAD_ANSWER = "meshflow.head_answer"
ANSWER_HEADERS = "envoy.filters.http.header_mutation"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
CORS = "envoy.filters.http.cors"
# Of a gRPC answer that was transcoded; native gRPC answers keep them.
GRPC_ONLY_HEADERS = ("grpc-status", "grpc-message", "grpc-accept-encoding")


def http_filters(
    methods: tuple[ApiMethod, ...], descriptors: str, max_request_bytes: int, max_response_bytes: int
) -> list[dict[str, Any]]:
    """Returns the filter chain; the filters that only REST needs are off until a route turns them on."""
    return [
        {"name": CORS, "typed_config": {"@type": f"{HTTP}.cors.v3.Cors"}},
        {"name": "envoy.filters.http.grpc_web", "typed_config": {"@type": f"{HTTP}.grpc_web.v3.GrpcWeb"}},
        {"name": REQUEST_HEADERS, "typed_config": _request_headers()},
        {"name": ANSWER_HEADERS, "disabled": True, "typed_config": _answer_headers()},
        {"name": BODY_LIMIT, "disabled": True, "typed_config": _script("body_limit.lua", max_request_bytes)},
        {"name": JSON_PARSER, "disabled": True, "typed_config": _json_parser()},
        {"name": JSON_CHECK, "disabled": True, "typed_config": _script("json_body.lua")},
        {"name": HEAD_ANSWER, "disabled": True, "typed_config": _script("head_answer.lua")},
        {
            "name": TRANSCODER,
            # Alone it would match paths that no route knows, such as /run/, past the checks of the routes.
            "disabled": True,
            "typed_config": _transcoder(methods, descriptors, max_request_bytes, max_response_bytes),
        },
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{HTTP}.router.v3.Router", "suppress_envoy_headers": True},
        },
    ]


def rest_route_filters(*, takes_body: bool, is_head: bool) -> dict[str, Any]:
    """Returns what a REST route turns on: transcoding, answer headers, and the JSON check where there is a body."""
    names = [ANSWER_HEADERS, TRANSCODER]
    names += [BODY_LIMIT, JSON_PARSER, JSON_CHECK] if takes_body else []
    names += [HEAD_ANSWER] if is_head else []
    return {name: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}} for name in names}


def _request_headers() -> dict[str, Any]:
    """Drops what the server never reads and its transport would fail a call over: names gRPC does not allow, and binary headers."""
    unfit = {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": ".*[^0-9a-z_.:-].*|.*-bin"}}}}
    return {"@type": f"{HTTP}.header_mutation.v3.HeaderMutation", "mutations": {"request_mutations": [unfit]}}


def _answer_headers() -> dict[str, Any]:
    removed = [{"remove": name} for name in GRPC_ONLY_HEADERS]
    added = [
        {"append": {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        for key, value in {"cache-control": "no-store", "x-content-type-options": "nosniff"}.items()
    ]
    return {
        "@type": f"{HTTP}.header_mutation.v3.HeaderMutation",
        "mutations": {"response_mutations": [*removed, *added]},
    }


def _json_parser() -> dict[str, Any]:
    """Runs Envoy's strict parser for its verdict alone."""

    def verdict(value: str) -> dict[str, str]:
        return {"metadata_namespace": "meshflow", "key": "json", "value": value}

    rule = {
        "selectors": [{"key": "task"}],
        "on_present": verdict("valid"),
        "on_missing": verdict("valid"),
        "on_error": verdict("malformed"),
    }
    return {
        "@type": f"{HTTP}.json_to_metadata.v3.JsonToMetadata",
        "request_rules": {
            "rules": [rule],
            "allow_content_types_regex": {"regex": r"(?i)application/json\s*(;.*)?"},
            "allow_empty_content_type": True,
        },
    }


def _script(name: str, max_bytes: int = 0) -> dict[str, Any]:
    script = resources.files("meshflow_grpc.envoy").joinpath(name).read_text("utf-8")
    script = script.replace("local MAX_BYTES = 0", f"local MAX_BYTES = {max_bytes}")
    return {"@type": f"{HTTP}.lua.v3.Lua", "default_source_code": {"inline_string": script}}


def _transcoder(
    methods: tuple[ApiMethod, ...], descriptors: str, max_request_bytes: int, max_response_bytes: int
) -> dict[str, Any]:
    return {
        "@type": f"{HTTP}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor_bin": descriptors,
        "services": sorted({method.service for method in methods}),
        "print_options": {
            "always_print_primitive_fields": True,
            "preserve_proto_field_names": True,
            "stream_sse_style_delimited": True,
        },
        "convert_grpc_status": True,
        "case_insensitive_enum_parsing": True,
        "request_validation_options": {"reject_unknown_query_parameters": True},
        "max_request_body_size": max_request_bytes,
        "max_response_body_size": max_response_bytes,
    }
