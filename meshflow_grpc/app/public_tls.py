"""The certificate of the public port: Envoy's where Envoy listens, else the gRPC server's own."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING

from meshflow_grpc.app.reloading import ReloadedFiles
from meshflow_grpc.config.problem import ConfigurationError
from meshflow_grpc.envoy.tls import SecretFiles
from meshflow_grpc.rpc.transport_security import ServerTls

if TYPE_CHECKING:
    from collections.abc import Iterator

    import grpc

    from meshflow_grpc.app.seat import Seat
    from meshflow_grpc.config import Settings
    from meshflow_grpc.config.certificates import TlsMaterial
    from meshflow_grpc.envoy.tls import DownstreamTls

_PROOF_BYTES = 32


class PublicTls:
    """Holds the certificate in use, or nothing where TLS is not configured."""

    def __init__(self, settings: Settings, material: TlsMaterial | None, seat: Seat | None) -> None:
        self._settings = settings
        self._ends = material.not_after if material else None
        parts = _parts(material) if material else None
        self._secrets = SecretFiles(*parts) if parts and settings.use_envoy and seat is None else None
        self._server = ServerTls(*parts) if parts and not settings.use_envoy else None
        # Made anew at each start: it is in Envoy's configuration, which only this user can read, and in this process.
        self.proof = os.urandom(_PROOF_BYTES).hex() if self._secrets and settings.auth == "mtls" else None
        if seat is not None:
            self.proof = seat.proof

    @property
    def downstream(self) -> DownstreamTls | None:
        """What Envoy listens with."""
        return replace(self._secrets.tls, proof=self.proof) if self._secrets else None

    @property
    def certified(self) -> bool:
        """Whether there is a certificate."""
        return self._ends is not None

    def certificate_end(self) -> float:
        """When the certificate in the file ends, or the one before a file that cannot be used; seconds since 1970, NaN without TLS."""
        with suppress(ConfigurationError):
            material = self._settings.tls_material()
            self._ends = material.not_after if material else None
        return self._ends.timestamp() if self._ends else nan

    def credentials(self) -> grpc.ServerCredentials | None:
        """What the gRPC server listens with."""
        return self._server.credentials() if self._server else None

    def reloaded(self) -> tuple[ReloadedFiles, ...]:
        """The files to look at again while serving."""
        named = (self._settings.tls_cert_file, self._settings.tls_key_file, self._settings.tls_client_ca_file)
        if self._secrets is None and self._server is None:
            return ()
        return (ReloadedFiles("tls_certificate", tuple(path for path in named if path), self._renew),)

    def _renew(self) -> None:
        material = self._settings.tls_material()
        if material is None:
            return
        if self._secrets is not None:
            self._secrets.write(*_parts(material))
        if self._server is not None:
            self._server.replace(*_parts(material))

    def close(self) -> None:
        """Removes what was written for Envoy."""
        if self._secrets is not None:
            self._secrets.close()


@contextmanager
def public_tls(settings: Settings, seat: Seat | None = None) -> Iterator[PublicTls]:
    """Opens the configured certificate; behind Envoy it is the supervisor's alone. Raises ConfigurationError and OSError."""
    tls = PublicTls(settings, settings.tls_material(), seat)
    try:
        yield tls
    finally:
        tls.close()


def _parts(material: TlsMaterial) -> tuple[bytes, bytes, bytes | None]:
    return material.certificate, material.key, material.authorities
