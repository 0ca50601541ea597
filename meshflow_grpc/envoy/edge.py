"""Envoy in front of several servers: the sidecar's listener, with a cluster that spreads, checks and ejects, and retries elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshflow_grpc.envoy.bootstrap import MIB, Address, EnvoyConfig, TcpAddress, bootstrap, cluster, encrypted
from meshflow_grpc.envoy.http_filters import TRANSCODER
from meshflow_grpc.envoy.jwt_filter import JwtFilter, jwks_clusters, jwt_filter
from meshflow_grpc.envoy.rest_routes import api_methods
from meshflow_grpc.envoy.retries import edge_retries
from meshflow_grpc.envoy.route_table import CLUSTER, route_config
from meshflow_grpc.envoy.tls import EdgeTls, edge_socket
from meshflow_grpc.envoy.upstream_tls import UpstreamTls, upstream_socket

if TYPE_CHECKING:
    from collections.abc import Sequence

READINESS = "meshflow-readiness"


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The servers behind the edge (addresses, or DNS names of which every address is one); JWT filter, TLS to them (``tls``) and TLS
    on the public address (``public_tls``) if wanted.
    """

    public: TcpAddress
    upstreams: tuple[TcpAddress, ...]
    admin: TcpAddress
    allowed_origins: tuple[str, ...] = ()
    jwt: JwtFilter | None = None
    tls: UpstreamTls | None = None
    public_tls: EdgeTls | None = None

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
    upstream = servers(config.upstreams)
    if config.tls is not None:
        upstream["transport_socket"] = upstream_socket(config.tls, config.upstreams)
    resources["clusters"] = [upstream, *jwks_clusters(config.jwt)]
    chain = resources["listeners"][0]["filter_chains"][0]
    if config.public_tls is not None:
        chain.update(encrypted(edge_socket(config.public_tls)))
    manager = chain["filters"][0]["typed_config"]
    body = base.max_request_bytes + MIB
    manager["route_config"] = route_config(methods, config.allowed_origins, body_bytes=body, retries=edge_retries)
    if config.jwt is not None:
        filters = manager["http_filters"]
        filters.insert(_first_of_rest(filters), jwt_filter(config.jwt, methods))
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
