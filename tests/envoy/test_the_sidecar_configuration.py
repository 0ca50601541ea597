"""envoy/envoy.yaml is what the product's own configuration is, for an Envoy beside the server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from meshflow_grpc.envoy.bootstrap import EnvoyConfig, TcpAddress, bootstrap
from meshflow_grpc.envoy.rest_routes import api_methods
from meshflow_grpc.envoy.write_sidecar import sidecar_yaml
from meshflow_grpc.rpc.server import ServerLimits

if TYPE_CHECKING:
    from meshflow_grpc.envoy.process import EnvoyOptions

ROOT = Path(__file__).resolve().parents[2]
SIDECAR = ROOT / "envoy" / "envoy.yaml"


def test_the_committed_file_is_fresh() -> None:
    """It changes only with the code that makes it."""
    assert SIDECAR.read_text() == sidecar_yaml(), "run: python -m meshflow_grpc.envoy.write_sidecar envoy/envoy.yaml"


async def test_envoy_accepts_it(options: EnvoyOptions) -> None:
    """`envoy --mode validate`."""
    command = [str(options.binary), "--mode", "validate", "--config-path", str(SIDECAR), "--log-level", "warning"]
    checked = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await checked.communicate()

    assert checked.returncode == 0, output.decode()
    assert output.decode().strip() == f"configuration '{SIDECAR}' OK"


def test_it_asks_the_server_whether_it_is_ready() -> None:
    """Upstreams that do not want traffic are left out; administration is on loopback alone."""
    config: dict[str, Any] = yaml.safe_load(SIDECAR.read_text())
    cluster = config["static_resources"]["clusters"][0]

    assert cluster["health_checks"][0]["grpc_health_check"] == {"service_name": "meshflow-readiness"}
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_every_bound_rpc_has_routes() -> None:
    """The route table comes from the descriptor set, so that no binding can be forgotten."""
    config = EnvoyConfig(TcpAddress("127.0.0.1", 0), TcpAddress("127.0.0.1", 1))
    manager = bootstrap(config)["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    paths = {route["match"].get("path") for route in routes}

    assert {"/run", "/stream", "/v1/runs", "/v1/runs:check", "/health", "/healthz", "/readyz"} <= paths
    assert {method.grpc_path for method in api_methods(config.descriptors)} <= paths


def test_calls_of_readers_that_stopped_cannot_use_up_a_connection() -> None:
    """All that Envoy puts on a connection may stall, and there is window left; it puts fewer on it than the server takes."""
    config: dict[str, Any] = yaml.safe_load(SIDECAR.read_text())
    for cluster in config["static_resources"]["clusters"]:
        options = next(iter(cluster["typed_extension_protocol_options"].values()))
        http2 = options["explicit_http_config"]["http2_protocol_options"]
        stalled = http2["max_concurrent_streams"] * http2["initial_stream_window_size"]

        assert stalled <= http2["initial_connection_window_size"]
        assert http2["max_concurrent_streams"] < ServerLimits().max_streams_per_connection
