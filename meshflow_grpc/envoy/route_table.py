"""The route table: REST paths first, then gRPC paths (where transcoded calls end up), then JSON 405 and 404."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.envoy.http_filters import CORS, HTTP, rest_route_filters
from meshflow_grpc.envoy.rest_routes import ApiMethod, RestBinding
from meshflow_grpc.envoy.retries import sidecar_retries

if TYPE_CHECKING:
    from collections.abc import Callable

CLUSTER = "meshflow"
PROBE_CLUSTER = "meshflow-probes"
PROBE_TIMEOUT = "5s"
_GRPC = {"name": "content-type", "string_match": {"safe_regex": {"regex": r"application/grpc.*"}}}
_ALLOWED_HEADERS = (
    "authorization,content-type,grpc-timeout,idempotency-key,last-event-id,x-grpc-web,x-request-id,x-user-agent"
)
_EXPOSED_HEADERS = "grpc-message,grpc-status,grpc-status-details-bin,retry-after,x-request-id"


def route_config(
    methods: tuple[ApiMethod, ...],
    allowed_origins: tuple[str, ...],
    probe_cluster: str = CLUSTER,
    *,
    body_bytes: int,
    retries: Callable[[ApiMethod], dict[str, Any] | None] = sidecar_retries,
) -> dict[str, Any]:
    """Returns the route configuration of the public listener; probes go to a cluster of their own where there is one.

    ``body_bytes`` is the most of a request body that a filter may hold to see it whole.
    """
    rest = [_rest_route(binding) for method in methods for binding in method.bindings]
    grpc = [
        *(_method_route(method, probe_cluster, retries(method)) for method in methods),
        _health_route(probe_cluster),
    ]
    rest_of_grpc = [_grpc_route({"prefix": prefix}) for prefix in _grpc_prefixes(methods)]
    host: dict[str, Any] = {
        "name": "meshflow",
        "domains": ["*"],
        "request_body_buffer_limit": body_bytes,
        "routes": [
            *([_preflight_route()] if allowed_origins else []),
            *_malformed_headers(),
            *_path_variables_in_query(methods),
            *rest,
            *grpc,
            *rest_of_grpc,
            *_method_not_allowed(methods),
            _direct({"prefix": "/"}, 404, "no such path; /openapi.json describes the API"),
        ],
    }
    if allowed_origins:
        host["typed_per_filter_config"] = {CORS: _cors_policy(allowed_origins)}
    return {"name": "meshflow", "virtual_hosts": [host]}


def _path(binding: RestBinding) -> dict[str, Any]:
    if binding.path_regex is None:
        return {"path": binding.template}
    return {"safe_regex": {"regex": binding.path_regex}}


def _rest_route(binding: RestBinding) -> dict[str, Any]:
    method = {"name": ":method", "string_match": {"exact": binding.http_method}}
    return {
        "match": {
            **_path(binding),
            "headers": [method, {**_GRPC, "invert_match": True, "treat_missing_header_as_empty": True}],
        },
        "route": _unlimited(),
        "typed_per_filter_config": rest_route_filters(
            takes_body=binding.takes_body, is_head=binding.http_method == "HEAD"
        ),
    }


def _health_route(probe_cluster: str) -> dict[str, Any]:
    route = _grpc_route({"prefix": "/grpc.health.v1.Health/"})
    route["route"]["cluster"] = probe_cluster
    return route


def _method_route(method: ApiMethod, probe_cluster: str, retries: dict[str, Any] | None) -> dict[str, Any]:
    """Timeouts and retries of an RPC, native or transcoded: only probes are limited here, runs are limited by their policy."""
    route = _grpc_route({"path": method.grpc_path})
    if method.is_probe:
        route["route"] |= {"timeout": PROBE_TIMEOUT, "cluster": probe_cluster}
    if retries is not None:
        route["route"]["retry_policy"] = retries
    return route


def _grpc_route(path: dict[str, str]) -> dict[str, Any]:
    return {"match": {**path, "headers": [_GRPC]}, "route": _unlimited()}


def _grpc_prefixes(methods: tuple[ApiMethod, ...]) -> list[str]:
    """Unknown methods of known services, health and reflection are answered by the server."""
    return [*(f"/{service}/" for service in sorted({method.service for method in methods})), "/grpc."]


def _unlimited() -> dict[str, Any]:
    return {"cluster": CLUSTER, "timeout": "0s", "idle_timeout": "0s"}


def _method_not_allowed(methods: tuple[ApiMethod, ...]) -> list[dict[str, Any]]:
    allowed: dict[str, tuple[RestBinding, list[str]]] = {}
    for binding in (binding for method in methods for binding in method.bindings):
        allowed.setdefault(binding.template, (binding, []))[1].append(binding.http_method)
    return [
        {
            **_direct(_path(binding), 405, f"this path takes {' or '.join(verbs)}"),
            "response_headers_to_add": [{"header": {"key": "allow", "value": ", ".join(verbs)}}],
        }
        for binding, verbs in allowed.values()
    ]


def _malformed_headers() -> list[dict[str, Any]]:
    """The server's transport remembers a value that it cannot read, and then fails other callers' calls on the same connection."""
    known = {"grpc-timeout": "[0-9]{1,8}[HMSmun]", "grpc-encoding": "identity|deflate|gzip"}
    return [
        _direct(
            {
                "prefix": "/",
                "headers": [
                    {"name": name, "present_match": True},
                    {"name": name, "string_match": {"safe_regex": {"regex": regex}}, "invert_match": True},
                ],
            },
            400,
            f"the header {name} is not of the form {regex}",
        )
        for name, regex in known.items()
    ]


def _path_variables_in_query(methods: tuple[ApiMethod, ...]) -> list[dict[str, Any]]:
    """A query parameter would win over the path, so that logs and rules about paths would be wrong about the target."""
    paths = {
        (binding.template, name): binding
        for method in methods
        for binding in method.bindings
        for name in binding.variables
    }
    return [
        _direct(
            {**_path(binding), "query_parameters": [{"name": name, "present_match": True}]},
            400,
            f"{name} is part of the path; remove the query parameter",
        )
        for (_, name), binding in paths.items()
    ]


def _direct(match: dict[str, Any], status: int, message: str) -> dict[str, Any]:
    return {"match": match, "direct_response": {"status": status, "body": {"inline_string": message}}}


def _preflight_route() -> dict[str, Any]:
    """The CORS filter answers preflights, but only where the route is a real one."""
    headers = [
        {"name": ":method", "string_match": {"exact": "OPTIONS"}},
        {"name": "origin", "present_match": True},
        {"name": "access-control-request-method", "present_match": True},
    ]
    return {"match": {"prefix": "/", "headers": headers}, "route": _unlimited()}


def _cors_policy(allowed_origins: tuple[str, ...]) -> dict[str, Any]:
    return {
        "@type": f"{HTTP}.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": origin} for origin in allowed_origins],
        "allow_methods": "GET,HEAD,POST",
        "allow_headers": _ALLOWED_HEADERS,
        "expose_headers": _EXPOSED_HEADERS,
        "max_age": "600",
        "forward_not_matching_preflights": False,
    }
