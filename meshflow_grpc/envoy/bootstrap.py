"""Envoy's configuration as a pure function of ours: one listener for gRPC, gRPC-Web, REST and SSE."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import PurePath
from typing import Any

from meshflow_grpc.envoy.http_filters import http_filters
from meshflow_grpc.envoy.local_replies import local_reply_config
from meshflow_grpc.envoy.rest_routes import api_methods
from meshflow_grpc.envoy.route_table import CLUSTER, PROBE_CLUSTER, route_config
from meshflow_grpc.envoy.tls import DownstreamTls, forwarded_certificate, proof_headers, transport_socket

LISTENER = "public"
MIB = 2**20
# Less than the server takes, so that the answer names the limit.
MAX_HEADERS_KIB = 15
_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host and a port; port 0 lets the system choose one."""

    host: str
    port: int

    def __post_init__(self) -> None:
        if not self.host or not 0 <= self.port <= 65535:
            raise ValueError(f"{self.host!r}:{self.port} is not an address: it needs a host and a port from 0 to 65535")


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """Path of a Unix domain socket: at most 107 bytes."""

    path: PurePath

    def __post_init__(self) -> None:
        if len(str(self.path).encode()) > 107:
            raise ValueError(f"{self.path}: the path of a Unix socket has at most 107 bytes; use a shorter directory")


Address = TcpAddress | UnixAddress


def load_descriptors() -> bytes:
    """Returns the serialized FileDescriptorSet that ships with the package."""
    return resources.files("meshflow_grpc.envoy").joinpath("descriptors.binpb").read_bytes()


@dataclass(frozen=True, slots=True)
class EnvoyConfig:
    """What differs between installations. Sizes are in bytes."""

    public: TcpAddress
    upstream: Address
    admin: Address = TcpAddress("127.0.0.1", 0)
    # Serialized FileDescriptorSet of the API.
    descriptors: bytes = field(default_factory=load_descriptors, repr=False)
    max_request_bytes: int = 4 * MIB
    max_response_bytes: int = 16 * MIB
    max_connections: int = 10_000
    # Origins whose web pages may call, for example "https://console.example.com"; none by default.
    allowed_origins: tuple[str, ...] = ()
    # Name asked of grpc.health.v1 to leave out upstreams that do not want traffic; None asks nothing.
    readiness_service: str | None = None
    # Where probes are answered, when not by the upstream itself.
    probes: Address | None = None
    # TLS on the public address; None listens without.
    tls: DownstreamTls | None = None


# Calls that Envoy puts on one connection to a server: half of what it takes, which Envoy learns only after the first, and because the
# server still counts calls that Envoy has seen end.
STREAMS_PER_CONNECTION = 500
# What a server may send of one call before its reader took it. All calls of a connection together never use up the connection's window,
# or readers that stop reading would stop everybody's answers.
STREAM_WINDOW_BYTES = 2**16
# What Envoy holds for a client that does not read, and of a body that nobody asked to have whole.
READER_BUFFER_BYTES = 2**18


def bootstrap(config: EnvoyConfig) -> dict[str, Any]:
    """Returns Envoy's bootstrap as plain data. Raises ValueError when the descriptor set describes no service."""
    # Envoy asks for nobody's secrets without a name of its own.
    named = {"node": {"id": "meshflow", "cluster": "meshflow"}} if config.tls else {}
    return {
        **named,
        "admin": {"address": _address(config.admin)},
        "static_resources": {"listeners": [_listener(config)], "clusters": _clusters(config)},
        "overload_manager": {"resource_monitors": [_connection_limit(config.max_connections)]},
    }


def _address(address: Address) -> dict[str, Any]:
    if isinstance(address, UnixAddress):
        return {"pipe": {"path": str(address.path), "mode": 0o600}}
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _listener(config: EnvoyConfig) -> dict[str, Any]:
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _connection_manager(config),
    }
    return {
        "name": LISTENER,
        "address": _address(config.public),
        # With port reuse a second server on the port would start silently and take half of the traffic.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": READER_BUFFER_BYTES,
        "filter_chains": [_filter_chain(manager, config.tls)],
    }


def _filter_chain(manager: dict[str, Any], tls: DownstreamTls | None) -> dict[str, Any]:
    return {"filters": [manager], **({} if tls is None else encrypted(transport_socket(tls)))}


def encrypted(socket: dict[str, Any]) -> dict[str, Any]:
    """Returns what a filter chain has beside its filters; who connects and does not shake hands holds a connection for 10 s at most."""
    return {"transport_socket": socket, "transport_socket_connect_timeout": "10s"}


def _connection_manager(config: EnvoyConfig) -> dict[str, Any]:
    methods = api_methods(config.descriptors)
    descriptors = base64.b64encode(config.descriptors).decode("ascii")
    filters = http_filters(methods, descriptors, config.max_request_bytes, config.max_response_bytes)
    return {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        "codec_type": "AUTO",
        "route_config": route_config(
            methods,
            config.allowed_origins,
            CLUSTER if config.probes is None else PROBE_CLUSTER,
            body_bytes=config.max_request_bytes + MIB,
        )
        | proof_headers(config.tls),
        "http_filters": filters,
        "local_reply_config": local_reply_config(_limit_messages(config)),
        "server_name": "meshflow",
        **forwarded_certificate(config.tls),
        "use_remote_address": True,
        "max_request_headers_kb": MAX_HEADERS_KIB,
        "normalize_path": True,
        "merge_slashes": True,
        **_request_ids(),
        **_limits(),
    }


def _limit_messages(config: EnvoyConfig) -> dict[int, str]:
    return {
        403: "connections are not upgraded here",
        413: f"the request body is larger than {config.max_request_bytes} bytes",
        431: f"the request headers are larger than {MAX_HEADERS_KIB} KiB",
    }


def _request_ids() -> dict[str, Any]:
    extension = {"@type": f"{_EXTENSIONS}.request_id.uuid.v3.UuidRequestIdConfig", "pack_trace_reason": False}
    return {
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {"typed_config": extension},
    }


def _limits() -> dict[str, Any]:
    return {
        # A quiet run is not an idle one; what a client has to send, it has to send in time.
        "stream_idle_timeout": "0s",
        "request_headers_timeout": "10s",
        "request_timeout": "300s",
        # Time for a client that still sends to read why its request was refused.
        "delayed_close_timeout": "5s",
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        "http2_protocol_options": {
            "max_concurrent_streams": 1024,
            "initial_stream_window_size": MIB,
            "initial_connection_window_size": 16 * MIB,
        },
    }


def _clusters(config: EnvoyConfig) -> list[dict[str, Any]]:
    upstream = cluster(CLUSTER, config.upstream)
    if config.readiness_service is not None:
        upstream |= _health(config.readiness_service)
    return [upstream] if config.probes is None else [upstream, cluster(PROBE_CLUSTER, config.probes)]


def cluster(name: str, *addresses: Address) -> dict[str, Any]:
    """Returns a cluster of gRPC servers, at addresses or at names of which every address is one."""
    endpoints = [{"endpoint": {"address": _upstream_address(address)}} for address in addresses]
    http2 = {
        "@type": f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": _upstream_http2()},
        "common_http_protocol_options": {"idle_timeout": "0s"},
    }
    # The server limits its load itself, with better answers.
    limits = {"max_connections": 1024, "max_pending_requests": 1_000_000, "max_requests": 1_000_000, "max_retries": 64}
    return {
        "name": name,
        "type": "STRICT_DNS" if any(map(is_name, addresses)) else "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: http2},
        "circuit_breakers": {"thresholds": [limits]},
    }


def _upstream_http2() -> dict[str, int]:
    return {
        "max_concurrent_streams": STREAMS_PER_CONNECTION,
        "initial_stream_window_size": STREAM_WINDOW_BYTES,
        "initial_connection_window_size": STREAMS_PER_CONNECTION * STREAM_WINDOW_BYTES,
    }


def _upstream_address(address: Address) -> dict[str, Any]:
    return {"pipe": {"path": str(address.path)}} if isinstance(address, UnixAddress) else _address(address)


def is_name(address: Address) -> bool:
    """Whether an address has to be looked up."""
    if isinstance(address, UnixAddress):
        return False
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return True
    return False


def _health(service: str) -> dict[str, Any]:
    """When no upstream is ready all of them are asked: they say why, which Envoy cannot."""
    check = {
        "timeout": "2s",
        "interval": "2s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "grpc_health_check": {"service_name": service},
    }
    return {
        "health_checks": [check],
        "outlier_detection": {"consecutive_gateway_failure": 5, "base_ejection_time": "5s", "max_ejection_time": "30s"},
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
    }


def _connection_limit(connections: int) -> dict[str, Any]:
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": connections,
        },
    }
