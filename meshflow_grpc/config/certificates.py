"""The certificate, key and authorities of the server's TLS: read together, and refused with everything that is wrong with them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from meshflow_grpc.config.problem import ConfigProblem, ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

CERTIFICATE: Final = "MESHFLOW_TLS_CERT_FILE"
KEY: Final = "MESHFLOW_TLS_KEY_FILE"
AUTHORITIES: Final = "MESHFLOW_TLS_CLIENT_CA_FILE"
# What Envoy takes; gRPC takes more, but the same files must do for both.
LEAST_RSA_BITS: Final = 2048
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """PEM texts that belong together; ``authorities`` are those whose client certificates are accepted."""

    certificate: bytes
    key: bytes = field(repr=False)
    authorities: bytes | None
    not_after: dt.datetime


class _UnusableError(Exception):
    """What is wrong with a file, without its content."""

    def __init__(self, variable: str, what: str, fix: str = "name a PEM file as the authority gave it") -> None:
        super().__init__(what)
        self.problem = ConfigProblem(variable, what, fix)


def read_tls(certificate: Path, key: Path, authorities: Path | None, now: dt.datetime) -> TlsMaterial:
    """Reads and checks the files as they are now. Raises ConfigurationError with every problem."""
    problems: list[ConfigProblem] = []
    chain: tuple[bytes, x509.Certificate] | None = None
    private: tuple[bytes, PrivateKeyTypes] | None = None
    trusted: bytes | None = None
    try:
        chain = _chain(certificate, now)
    except _UnusableError as error:
        problems.append(error.problem)
    try:
        private = _key(key)
    except _UnusableError as error:
        problems.append(error.problem)
    try:
        trusted = _authorities(authorities, now) if authorities else None
    except _UnusableError as error:
        problems.append(error.problem)
    if chain and private and _spki(chain[1].public_key()) != _spki(private[1].public_key()):
        problems.append(
            ConfigProblem(KEY, f"not the key of the certificate in {certificate}", "name the files of one pair")
        )
    if problems or chain is None or private is None:
        raise ConfigurationError(tuple(problems))
    return TlsMaterial(chain[0], private[0], trusted, chain[1].not_valid_after_utc)


def _read(variable: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _UnusableError(variable, f"cannot read {path}: {error.strerror}", "name a readable file") from None


def _certificates(variable: str, path: Path, text: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise _UnusableError(variable, f"no PEM certificate in {path}") from None


def _chain(path: Path, now: dt.datetime) -> tuple[bytes, x509.Certificate]:
    """The server's certificate and the ones that vouch for it, the server's first."""
    text = _read(CERTIFICATE, path)
    chain = _certificates(CERTIFICATE, path, text)
    leaf = chain[0]
    _check_dates(CERTIFICATE, path, leaf, now)
    _check_algorithm(path, leaf.public_key())
    _check_usage(path, leaf)
    if any(signed.issuer != signer.subject for signed, signer in pairwise(chain)):
        order = "put the server's certificate first, and after each the one that signed it"
        raise _UnusableError(CERTIFICATE, f"the certificates in {path} are not a chain", order)
    return text, leaf


def _check_dates(variable: str, path: Path, certificate: x509.Certificate, now: dt.datetime) -> None:
    if certificate.not_valid_after_utc <= now:
        what = f"the certificate in {path} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        raise _UnusableError(variable, what, "renew it")
    if certificate.not_valid_before_utc > now:
        what = f"the certificate in {path} is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
        raise _UnusableError(variable, what, "wait, or set the machine's clock right")


def _check_algorithm(path: Path, public: PublicKeyTypes) -> None:
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= LEAST_RSA_BITS:
        return
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        return
    fix = f"use ECDSA on P-256, P-384 or P-521, or RSA of at least {LEAST_RSA_BITS} bits"
    raise _UnusableError(CERTIFICATE, f"the certificate in {path} has a key that TLS servers do not take", fix)


def _check_usage(path: Path, leaf: x509.Certificate) -> None:
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in usages:
        raise _UnusableError(
            CERTIFICATE, f"the certificate in {path} is not for servers", "ask for one with serverAuth"
        )


def _key(path: Path) -> tuple[bytes, PrivateKeyTypes]:
    text = _read(KEY, path)
    try:
        return text, load_pem_private_key(text, None)
    except TypeError:
        fix = "name one without a password, readable by the server alone"
        raise _UnusableError(KEY, f"the key in {path} is encrypted", fix) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _UnusableError(KEY, f"no PEM private key in {path}") from None


def _authorities(path: Path, now: dt.datetime) -> bytes:
    text = _read(AUTHORITIES, path)
    for certificate in _certificates(AUTHORITIES, path, text):
        _check_dates(AUTHORITIES, path, certificate, now)
    return text


def _spki(public: PublicKeyTypes) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
