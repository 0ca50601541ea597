"""TLS of the gRPC server itself, with certificates that can be replaced while it serves."""

from __future__ import annotations

import grpc


class ServerTls:
    """A certificate, its key and, for mutual TLS, the authorities whose client certificates are demanded; all PEM."""

    def __init__(self, certificate: bytes, key: bytes, authorities: bytes | None) -> None:
        self._mutual = authorities is not None
        self._configuration = _configuration(certificate, key, authorities)

    def replace(self, certificate: bytes, key: bytes, authorities: bytes | None) -> None:
        """Uses others for every handshake from now on; connections go on as they are."""
        if (authorities is not None) is not self._mutual:
            raise ValueError("whether client certificates are demanded is decided when the server starts")
        self._configuration = _configuration(certificate, key, authorities)

    def credentials(self) -> grpc.ServerCredentials:
        """What a port is opened with."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration, lambda: self._configuration, require_client_authentication=self._mutual
        )


def _configuration(certificate: bytes, key: bytes, authorities: bytes | None) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(key, certificate)], authorities)
