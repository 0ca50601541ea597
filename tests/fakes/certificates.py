"""A certificate authority of the tests: real X.509 certificates, written as PEM files."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

_PEM = serialization.Encoding.PEM
HOUR = dt.timedelta(hours=1)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@dataclass(frozen=True)
class PemFiles:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; ``file`` is its own."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = _builder(self._name, self._name, self._key.public_key(), now - HOUR, now + HOUR, is_ca=True)
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM))

    def issue(
        self,
        name: str,
        *names: x509.GeneralName,
        key: CertificateIssuerPrivateKeyTypes | None = None,
        starts: dt.timedelta = -HOUR,
        lasts: dt.timedelta = HOUR,
        usage: x509.ObjectIdentifier | None = None,
    ) -> PemFiles:
        """Writes ``name``.pem and ``name``.key; the same name again renews them, the certificate by a move."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, self._name, key.public_key(), now + starts, now + lasts, is_ca=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        files = PemFiles(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        text = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for path, content in (
            (files.key, text),
            (files.certificate, builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM)),
        ):
            new = path.with_suffix(".new")
            new.write_bytes(content)
            new.replace(path)
        return files

    def server(self, name: str = "server") -> PemFiles:
        """A certificate of 127.0.0.1."""
        return self.issue(name, LOOPBACK, usage=ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, name: str, *uris: str) -> PemFiles:
        """A certificate of a caller, with URIs as its names."""
        return self.issue(name, *map(x509.UniformResourceIdentifier, uris), usage=ExtendedKeyUsageOID.CLIENT_AUTH)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: object,
    start: dt.datetime,
    end: dt.datetime,
    *,
    is_ca: bool,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)  # type: ignore[arg-type]  # one of the kinds that can sign
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
