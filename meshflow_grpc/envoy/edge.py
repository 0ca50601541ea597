"""Envoy in front of several servers: the sidecar's listener, with a cluster that spreads, checks and ejects, and retries elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshflow_grpc.envoy.bootstrap import MIB, Address, EnvoyConfig, TcpAddress, bootstrap, cluster
from meshflow_grpc.envoy.http_filters import HTTP, TRANSCODER
from meshflow_grpc.envoy.rest_routes import ApiMethod, api_methods
from meshflow_grpc.envoy.retries import edge_retries
from meshflow_grpc.envoy.route_table import CLUSTER, route_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

JWT_FILTER = "envoy.filters.http.jwt_authn"
READINESS = "meshflow-readiness"
_PROVIDER = "meshflow"
# Of the clocks of token issuer and proxy; the servers allow as much.
_CLOCK_SKEW_S = 60


@dataclass(frozen=True, slots=True)
class JwtFilter:
    """Tokens are checked at the edge already; servers check them again, and what they allow.

    ``jwks_file`` is a path on Envoy's machine, read again when a file is moved into its place.
    """

    issuer: str
    audience: str
    jwks_file: PurePath

    def __post_init__(self) -> None:
        if not self.issuer or not self.audience:
            raise ValueError(
                "the JWT filter needs an issuer and an audience; without them it would take anyone's tokens"
            )
        if not self.jwks_file.is_absolute():
            raise ValueError(f"{self.jwks_file}: name the JWKS file by its absolute path on Envoy's machine")


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The servers behind the edge (addresses, or DNS names of which every address is a server), and the JWT filter if wanted."""

    public: TcpAddress
    upstreams: tuple[TcpAddress, ...]
    admin: TcpAddress
    allowed_origins: tuple[str, ...] = ()
    jwt: JwtFilter | None = None

    def __post_init__(self) -> None:
        if not self.upstreams:
            raise ValueError("an edge needs a server behind it: --upstream HOST:PORT")
        if len(set(self.upstreams)) < len(self.upstreams):
            raise ValueError("a server is named twice; name each once")


def edge_bootstrap(config: EdgeConfig) -> dict[str, Any]:
    """Returns Envoy's bootstrap as plain data."""
    base = EnvoyConfig(
        config.public,
        config.upstreams[0],
        config.admin,
        allowed_origins=config.allowed_origins,
        readiness_service=READINESS,
    )
    plain = bootstrap(base)
    methods = api_methods(base.descriptors)
    resources = plain["static_resources"]
    resources["clusters"] = [servers(config.upstreams)]
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    body = base.max_request_bytes + MIB
    manager["route_config"] = route_config(methods, config.allowed_origins, body_bytes=body, retries=edge_retries)
    if config.jwt is not None:
        filters = manager["http_filters"]
        filters.insert(_first_of_rest(filters), _jwt_filter(config.jwt, methods))
    return plain


def servers(upstreams: Sequence[Address]) -> dict[str, Any]:
    """Returns a cluster that spreads calls over servers, leaves out those that do not want any, and ejects those that fail."""
    found = cluster(CLUSTER, *upstreams)
    found["lb_policy"] = "LEAST_REQUEST"
    found["health_checks"] = [
        {
            "timeout": "1s",
            "interval": "1s",
            "no_traffic_interval": "1s",
            "unhealthy_threshold": 2,
            "healthy_threshold": 1,
            "grpc_health_check": {"service_name": READINESS},
        }
    ]
    found["outlier_detection"] = {
        "consecutive_gateway_failure": 5,
        "enforcing_consecutive_gateway_failure": 100,
        "consecutive_5xx": 50,
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "interval": "1s",
        "base_ejection_time": "2s",
        "max_ejection_time": "30s",
        "max_ejection_percent": 50,
    }
    # When no server is ready all are asked: they say why, which Envoy cannot.
    found["common_lb_config"] = {"healthy_panic_threshold": {"value": 1}}
    (limits,) = found["circuit_breakers"]["thresholds"]
    del limits["max_retries"]
    limits["retry_budget"] = {"budget_percent": {"value": 50}, "min_retry_concurrency": 256}
    options = next(iter(found["typed_extension_protocol_options"].values()))
    # A server that froze or whose network went silent ends its calls, so that they are made elsewhere.
    keepalive = {"interval": "15s", "timeout": "5s"}
    options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"] = keepalive
    return found


def _first_of_rest(filters: list[dict[str, Any]]) -> int:
    """Behind CORS and gRPC-Web, so that a page may read the refusal; before what reads bodies and transcodes."""
    names = [each["name"] for each in filters]
    return min(names.index("envoy.filters.http.grpc_web") + 1, names.index(TRANSCODER))


def _jwt_filter(jwt: JwtFilter, methods: tuple[ApiMethod, ...]) -> dict[str, Any]:
    provider = {
        "issuer": jwt.issuer,
        "audiences": [jwt.audience],
        "local_jwks": {"filename": str(jwt.jwks_file), "watched_directory": {"path": str(jwt.jwks_file.parent)}},
        "forward": True,
        "require_expiration": True,
        "clock_skew_seconds": _CLOCK_SKEW_S,
    }
    return {
        "name": JWT_FILTER,
        "typed_config": {
            "@type": f"{HTTP}.jwt_authn.v3.JwtAuthentication",
            "providers": {_PROVIDER: provider},
            "rules": [
                *({"match": match} for match in _open_to_all(methods)),
                {"match": {"prefix": "/"}, "requires": {"provider_name": _PROVIDER}},
            ],
            "bypass_cors_preflight": True,
        },
    }


def _open_to_all(methods: tuple[ApiMethod, ...]) -> list[dict[str, str]]:
    """Probes: balancers that ask them have no token."""
    probes = [method for method in methods if method.is_probe]
    rest = dict.fromkeys(binding.template for method in probes for binding in method.bindings)
    return [
        *({"path": path} for path in rest),
        *({"path": method.grpc_path} for method in probes),
        {"prefix": "/grpc.health.v1.Health/"},
    ]
