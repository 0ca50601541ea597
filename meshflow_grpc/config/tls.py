"""Settings of TLS on the public port."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

from pydantic import Field

from meshflow_grpc.config.certificates import AUTHORITIES, CERTIFICATE, KEY, TlsMaterial, read_tls
from meshflow_grpc.config.problem import ConfigProblem, ConfigurationError
from meshflow_grpc.config.scanner import ScannerSettings

EXPIRES_SOON: Final = dt.timedelta(days=14)


class TlsSettings(ScannerSettings):
    """TLS of the public port, whether Envoy or the gRPC server listens on it."""

    tls_cert_file: Path | None = Field(
        default=None, description="Certificate of the public port and its chain (PEM); unset: no TLS. See auth.md."
    )
    tls_key_file: Path | None = Field(default=None, description="Key of that certificate (PEM, without a password).")
    tls_client_ca_file: Path | None = Field(
        default=None,
        description="Authorities (PEM) whose certificates callers must show: mutual TLS; unset: none asked.",
    )
    reload_s: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="Seconds between looks whether certificates, keys and credentials in files were renewed.",
    )

    @property
    def uses_tls(self) -> bool:
        """Whether the public port speaks TLS."""
        return self.tls_cert_file is not None and self.tls_key_file is not None

    def tls_material(self) -> TlsMaterial | None:
        """Reads the files as they are now; None without TLS. Raises ConfigurationError."""
        if self.tls_cert_file is None or self.tls_key_file is None:
            return None
        return read_tls(self.tls_cert_file, self.tls_key_file, self.tls_client_ca_file, dt.datetime.now(dt.UTC))

    def tls_warnings(self) -> tuple[str, ...]:
        """Returns that the certificate expires soon."""
        material = self.tls_material()
        if material is None or material.not_after - dt.datetime.now(dt.UTC) > EXPIRES_SOON:
            return ()
        return (
            f"the certificate in {self.tls_cert_file} expires on {material.not_after:%Y-%m-%d %H:%M} UTC: renew it",
        )

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns also which file is missing, and what is wrong with those that are there."""
        files = {CERTIFICATE: self.tls_cert_file, KEY: self.tls_key_file, AUTHORITIES: self.tls_client_ca_file}
        given = [name for name, path in files.items() if path is not None]
        missing = [name for name in (CERTIFICATE, KEY) if given and files[name] is None]
        found = tuple(ConfigProblem(name, f"missing, and {given[0]} is set", "set it too") for name in missing)
        try:
            self.tls_material()
        except ConfigurationError as error:
            found += error.problems
        return (*super().problems(), *found)
