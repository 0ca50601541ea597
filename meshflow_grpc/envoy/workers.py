"""Envoy in front of several workers on one machine: the public listener of one server, with the edge's cluster behind it.

One Envoy for all, rather than one each on a shared port: it spreads calls, where the kernel would spread connections and a client's
one HTTP/2 connection would keep one worker busy; and a worker that dies costs no client its connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.envoy.bootstrap import MIB, EnvoyConfig, bootstrap
from meshflow_grpc.envoy.edge import servers
from meshflow_grpc.envoy.rest_routes import api_methods
from meshflow_grpc.envoy.retries import edge_retries
from meshflow_grpc.envoy.route_table import PROBE_CLUSTER, route_config
from meshflow_grpc.envoy.tls import proof_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.envoy.bootstrap import Address


def workers_bootstrap(config: EnvoyConfig, workers: Sequence[Address]) -> dict[str, Any]:
    """Returns Envoy's bootstrap as plain data; ``config.probes`` answers for all workers, and ``config.upstream`` is not used."""
    plain = bootstrap(config)
    resources = plain["static_resources"]
    resources["clusters"][0] = servers(workers)
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    methods, body = api_methods(config.descriptors), config.max_request_bytes + MIB
    routes = route_config(methods, config.allowed_origins, PROBE_CLUSTER, body_bytes=body, retries=edge_retries)
    manager["route_config"] = routes | proof_headers(config.tls)
    return plain
