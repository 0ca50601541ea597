"""TLS from Envoy to servers: who may sign their certificates, which names these must have, and what Envoy shows of its own."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from meshflow_grpc.envoy.bootstrap import TcpAddress, is_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

_TLS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """Files on Envoy's machine, by absolute paths: the authorities of servers and, for mutual TLS, the edge's certificate and key.

    Servers must have ``name`` in their certificates, or else the host by which each is dialled. Raises ValueError.
    """

    authorities: PurePath
    certificate: PurePath | None = None
    key: PurePath | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("the edge's certificate and its key go together: --upstream-cert and --upstream-key")
        for path in (self.authorities, self.certificate, self.key):
            if path is not None and not path.is_absolute():
                raise ValueError(f"{path}: name the file by its absolute path on Envoy's machine")


def upstream_socket(tls: UpstreamTls, upstreams: Sequence[TcpAddress]) -> dict[str, Any]:
    """Returns the transport socket of a cluster of gRPC servers."""
    named = (TcpAddress(tls.name, 0),) if tls.name else tuple(upstreams)
    found = tls_socket(tls.authorities, named, alpn=("h2",))
    if tls.certificate is not None:
        pair = {"certificate_chain": {"filename": str(tls.certificate)}, "private_key": {"filename": str(tls.key)}}
        found["typed_config"]["common_tls_context"]["tls_certificates"] = [pair]
    return found


def tls_socket(authorities: PurePath, hosts: Sequence[TcpAddress], *, alpn: Sequence[str]) -> dict[str, Any]:
    """Returns a transport socket that takes certificates of these hosts alone."""
    names = dict.fromkeys(host.host for host in hosts if is_name(host))
    addresses = dict.fromkeys(str(ipaddress.ip_address(host.host)) for host in hosts if not is_name(host))
    matchers = [
        *({"san_type": "DNS", "matcher": {"exact": name}} for name in names),
        *({"san_type": "IP_ADDRESS", "matcher": {"exact": address}} for address in addresses),
    ]
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TLS}.UpstreamTlsContext",
            # One name is asked for; servers behind several names have one certificate each all the same.
            **({"sni": next(iter(names))} if len(names) == 1 else {}),
            "common_tls_context": {
                "alpn_protocols": list(alpn),
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "validation_context": {
                    "trusted_ca": {"filename": str(authorities)},
                    "match_typed_subject_alt_names": matchers,
                },
            },
        },
    }
