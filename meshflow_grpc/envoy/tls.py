"""TLS on Envoy's public listener. Certificates reach Envoy as secrets in files it watches, so that renewing one drops nothing."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final

_TLS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_CERTIFICATE: Final = "certificate"
_AUTHORITIES: Final = "authorities"
_SECRET_MODE: Final = 0o600
PROOF_HEADER: Final = "x-meshflow-proxy-proof"


@dataclass(frozen=True, slots=True)
class DownstreamTls:
    """Files of Envoy's secrets: the certificate with its key and, for mutual TLS, the authorities of clients.

    With a ``proof`` the names in the client's certificate go to the server in x-forwarded-client-cert, and the proof beside them,
    by which the server knows that this Envoy wrote them and nobody who reached its own port.
    """

    certificate: Path
    authorities: Path | None = None
    proof: str | None = field(default=None, repr=False)


class SecretFiles:
    """A directory that only this user can open, with the secrets as Envoy reads them. Raises OSError."""

    def __init__(self, certificate: bytes, key: bytes, authorities: bytes | None) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="meshflow-tls-"))
        self.tls = DownstreamTls(self._path(_CERTIFICATE), self._path(_AUTHORITIES) if authorities else None)
        self.write(certificate, key, authorities)

    def write(self, certificate: bytes, key: bytes, authorities: bytes | None) -> None:
        """Replaces the secrets at once, each as a whole: Envoy uses them for handshakes from then on."""
        if self.tls.authorities is not None and authorities is not None:
            self._replace(_AUTHORITIES, {"validation_context": {"trusted_ca": _inline(authorities)}})
        pair = {"certificate_chain": _inline(certificate), "private_key": _inline(key)}
        self._replace(_CERTIFICATE, {"tls_certificate": pair})

    def close(self) -> None:
        """Removes the files."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"

    def _replace(self, name: str, secret: dict[str, Any]) -> None:
        # Envoy looks again when a file is moved to the path, never while it is written.
        new = self._directory / f"{name}.new"
        text = json.dumps({"resources": [{"@type": f"{_TLS}.Secret", "name": name, **secret}]})
        descriptor = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, _SECRET_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(self._path(name))


def transport_socket(tls: DownstreamTls) -> dict[str, Any]:
    """Returns the listener's transport socket: TLS 1.2 or newer, HTTP/2 and HTTP/1.1."""
    secrets: dict[str, Any] = {"tls_certificate_sds_secret_configs": [_source(_CERTIFICATE, tls.certificate)]}
    if tls.authorities is not None:
        secrets["validation_context_sds_secret_config"] = _source(_AUTHORITIES, tls.authorities)
    return _downstream(secrets, mutual=tls.authorities is not None)


@dataclass(frozen=True, slots=True)
class EdgeTls:
    """Files on the machine of an Envoy that nobody feeds, by absolute paths: its certificate and key and, for mutual TLS, its clients'
    authorities. It reads them when it starts. Raises ValueError.
    """

    certificate: PurePath
    key: PurePath
    authorities: PurePath | None = None

    def __post_init__(self) -> None:
        for path in (self.certificate, self.key, self.authorities):
            if path is not None and not path.is_absolute():
                raise ValueError(f"{path}: name the file by its absolute path on Envoy's machine")


def edge_socket(tls: EdgeTls) -> dict[str, Any]:
    """Returns the transport socket of an edge's listener, as ``transport_socket``."""
    pair = {"certificate_chain": {"filename": str(tls.certificate)}, "private_key": {"filename": str(tls.key)}}
    secrets: dict[str, Any] = {"tls_certificates": [pair]}
    if tls.authorities is not None:
        secrets["validation_context"] = {"trusted_ca": {"filename": str(tls.authorities)}}
    return _downstream(secrets, mutual=tls.authorities is not None)


def _downstream(secrets: dict[str, Any], *, mutual: bool) -> dict[str, Any]:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TLS}.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                **secrets,
            },
            "require_client_certificate": mutual,
        },
    }


def forwarded_certificate(tls: DownstreamTls | None) -> dict[str, Any]:
    """Returns what the connection manager does with x-forwarded-client-cert: what a client sends of it is always removed."""
    if tls is None or tls.proof is None:
        return {}
    return {
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"uri": True, "dns": True},
    }


def proof_headers(tls: DownstreamTls | None) -> dict[str, Any]:
    """Returns what the route configuration adds to each request."""
    if tls is None or tls.proof is None:
        return {}
    header = {"key": PROOF_HEADER, "value": tls.proof}
    return {"request_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}


def _source(name: str, path: Path) -> dict[str, Any]:
    return {
        "name": name,
        "sds_config": {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"},
    }


def _inline(pem: bytes) -> dict[str, str]:
    return {"inline_string": pem.decode("utf-8", "replace")}
