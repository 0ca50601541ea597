"""The certificate files of channels to peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate, load_pem_x509_certificates

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes


@dataclass(frozen=True, slots=True)
class ChannelFiles:
    """Whom to trust (None: the system's authorities), and this node's own certificate for peers that ask for one."""

    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files as they are now; raises OSError for one that is gone."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.authorities.read_bytes() if self.authorities else None,
            private_key=self.key.read_bytes() if self.key else None,
            certificate_chain=self.certificate.read_bytes() if self.certificate else None,
        )

    def check(self) -> None:
        """Raises ValueError naming the file that cannot be used and why; OSError for one that cannot be read."""
        if self.authorities is not None:
            try:
                load_pem_x509_certificates(self.authorities.read_bytes())
            except ValueError:
                raise ValueError(f"{self.authorities} holds no certificates in PEM") from None
        if self.certificate is not None and self.key is not None:
            self._check_pair(self.certificate, self.key)

    def _check_pair(self, certificate: Path, key: Path) -> None:
        try:
            certified = load_pem_x509_certificate(certificate.read_bytes()).public_key()
        except ValueError:
            raise ValueError(f"{certificate} holds no certificate in PEM") from None
        try:
            private = load_pem_private_key(key.read_bytes(), None)
        except (ValueError, TypeError):
            raise ValueError(f"{key} holds no unencrypted private key in PEM") from None
        if _der(private.public_key()) != _der(certified):
            raise ValueError(f"the key in {key} is not that of the certificate in {certificate}")


def _der(key: PublicKeyTypes | CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
