"""Tokens checked at the edge: Envoy's JWT filter, the cluster it fetches keys from, and what needs no token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from meshflow_grpc.envoy.bootstrap import TcpAddress, is_name
from meshflow_grpc.envoy.http_filters import HTTP
from meshflow_grpc.envoy.upstream_tls import tls_socket

if TYPE_CHECKING:
    from pathlib import PurePath

    from meshflow_grpc.envoy.rest_routes import ApiMethod

JWT_FILTER = "envoy.filters.http.jwt_authn"
JWKS_CLUSTER = "jwks"
# Where Debian, and so Envoy's image, keeps the authorities of the public web.
SYSTEM_AUTHORITIES = PurePosixPath("/etc/ssl/certs/ca-certificates.crt")
# What anybody may read: the API's description, and the keys by which a node's tokens are checked.
PUBLIC_DOCUMENTS = frozenset({"/openapi.json", "/.well-known/jwks.json"})
_PROVIDER = "meshflow"
# Of the clocks of token issuer and proxy; the servers allow as much.
_CLOCK_SKEW_S = 60
# How long a key that the issuer has withdrawn is taken still, and how often the issuer is asked.
_KEYS_LAST_S = 300


@dataclass(frozen=True, slots=True)
class JwtFilter:
    """Tokens are checked at the edge already; servers check them again, and what they allow.

    ``jwks`` is an absolute path on Envoy's machine, read again when a file is moved into its place, or the https URL of an issuer's
    keys, fetched anew every five minutes; ``authorities`` is then a file on Envoy's machine: who may sign the issuer's certificate.
    Raises ValueError.
    """

    issuer: str
    audience: str
    jwks: PurePath | str
    authorities: PurePath = SYSTEM_AUTHORITIES

    def __post_init__(self) -> None:
        if not self.issuer or not self.audience:
            raise ValueError(
                "the JWT filter needs an issuer and an audience; without them it would take anyone's tokens"
            )
        if not isinstance(self.jwks, str):
            if not self.jwks.is_absolute():
                raise ValueError(f"{self.jwks}: name the JWKS file by its absolute path on Envoy's machine")
            return
        url = urlsplit(self.jwks)
        if url.scheme != "https" or not url.hostname or url.username is not None:
            raise ValueError(
                f"{self.jwks}: name the JWKS by a URL that begins with https://, without credentials in it"
            )
        if not self.authorities.is_absolute():
            raise ValueError(
                f"{self.authorities}: name the file of authorities by its absolute path on Envoy's machine"
            )


def jwt_filter(jwt: JwtFilter, methods: tuple[ApiMethod, ...]) -> dict[str, Any]:
    """Returns the HTTP filter."""
    provider = {
        "issuer": jwt.issuer,
        "audiences": [jwt.audience],
        **_keys(jwt.jwks),
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


def jwks_clusters(jwt: JwtFilter | None) -> list[dict[str, Any]]:
    """Returns the cluster of the issuer's server, where keys are fetched."""
    if jwt is None or not isinstance(jwt.jwks, str):
        return []
    url = urlsplit(jwt.jwks)
    issuer = TcpAddress(url.hostname or "", url.port or 443)
    address = {"socket_address": {"address": issuer.host, "port_value": issuer.port}}
    return [
        {
            "name": JWKS_CLUSTER,
            "type": "STRICT_DNS" if is_name(issuer) else "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": JWKS_CLUSTER,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
            "transport_socket": tls_socket(jwt.authorities, (issuer,), alpn=("http/1.1",)),
        }
    ]


def _keys(jwks: PurePath | str) -> dict[str, Any]:
    if not isinstance(jwks, str):
        return {"local_jwks": {"filename": str(jwks), "watched_directory": {"path": str(jwks.parent)}}}
    return {
        "remote_jwks": {
            "http_uri": {"uri": jwks, "cluster": JWKS_CLUSTER, "timeout": "5s"},
            "cache_duration": {"seconds": _KEYS_LAST_S},
            # The listener opens when the first answer is there, or the first attempt has failed; failures are repeated.
            "async_fetch": {"failed_refetch_duration": "1s"},
        }
    }


def _open_to_all(methods: tuple[ApiMethod, ...]) -> list[dict[str, str]]:
    """Probes, as balancers have no token, and the public documents."""
    opened = [method for method in methods if method.is_probe or PUBLIC_DOCUMENTS & _paths(method)]
    rest = dict.fromkeys(binding.template for method in opened for binding in method.bindings)
    return [
        *({"path": path} for path in rest),
        *({"path": method.grpc_path} for method in opened),
        {"prefix": "/grpc.health.v1.Health/"},
    ]


def _paths(method: ApiMethod) -> set[str]:
    return {binding.template for binding in method.bindings}
