"""Certificates, keys and authorities that cannot work are refused before the server starts, each with what is wrong."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from meshflow_grpc.config import ConfigurationError, Settings
from tests.fakes.certificates import HOUR, LOOPBACK, Authority, PemFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test; the offline model is on."""
    for name in list(os.environ):
        if name.startswith(("MESHFLOW_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MESHFLOW_MOCK", "1")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signs."""
    return Authority(tmp_path)


def load(files: PemFiles, **more: object) -> Settings:
    """The settings with a pair."""
    return Settings.load(tls_cert_file=files.certificate, tls_key_file=files.key, **more)


def problems(files: PemFiles, **more: object) -> dict[str, str]:
    """What is wrong: variable to text."""
    with pytest.raises(ConfigurationError) as raised:
        load(files, **more)
    return {problem.variable: str(problem) for problem in raised.value.problems}


def test_a_pair_with_authorities_is_taken(authority: Authority) -> None:
    """And warned about when it expires within two weeks."""
    settings = load(authority.server(), tls_client_ca_file=authority.file)
    assert settings.uses_tls
    material = settings.tls_material()
    assert material is not None
    assert b"PRIVATE" not in repr(material).encode()
    assert "expires on" in settings.warnings()[0]
    lasting = authority.issue("lasting", LOOPBACK, lasts=dt.timedelta(days=90))
    assert load(lasting).warnings() == ()


def test_all_that_is_wrong_is_told_at_once(authority: Authority, tmp_path: Path) -> None:
    """Three bad files, three problems, and nothing of their content."""
    (tmp_path / "junk").write_text("secret junk")
    files = PemFiles(tmp_path / "junk", tmp_path / "missing")
    told = problems(files, tls_client_ca_file=tmp_path / "junk")
    assert set(told) == {"MESHFLOW_TLS_CERT_FILE", "MESHFLOW_TLS_KEY_FILE", "MESHFLOW_TLS_CLIENT_CA_FILE"}
    assert "no PEM certificate" in told["MESHFLOW_TLS_CERT_FILE"]
    assert "No such file" in told["MESHFLOW_TLS_KEY_FILE"]
    assert "secret" not in str(told)


def test_half_a_configuration_is_refused(authority: Authority) -> None:
    """A certificate without a key, a key without a certificate, authorities without either."""
    files = authority.server()
    for given, missing in (
        ({"tls_cert_file": files.certificate}, {"MESHFLOW_TLS_KEY_FILE"}),
        ({"tls_key_file": files.key}, {"MESHFLOW_TLS_CERT_FILE"}),
        ({"tls_client_ca_file": authority.file}, {"MESHFLOW_TLS_CERT_FILE", "MESHFLOW_TLS_KEY_FILE"}),
    ):
        with pytest.raises(ConfigurationError) as raised:
            Settings.load(**given)
        assert {problem.variable for problem in raised.value.problems} == missing


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    """As happens when only one of the two was renewed."""
    told = problems(PemFiles(authority.server("one").certificate, authority.server("two").key))
    assert "not the key of the certificate" in told["MESHFLOW_TLS_KEY_FILE"]


def test_an_encrypted_key_is_refused(authority: Authority) -> None:
    """Nobody could type its password."""
    files = authority.server()
    key = load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    assert "encrypted" in problems(files)["MESHFLOW_TLS_KEY_FILE"]


@pytest.mark.parametrize(
    ("starts", "lasts", "what"), [(-2 * HOUR, -HOUR, "expired on"), (HOUR, 2 * HOUR, "valid from")]
)
def test_a_certificate_outside_its_time_is_refused(
    authority: Authority, starts: dt.timedelta, lasts: dt.timedelta, what: str
) -> None:
    """Expired, or not valid yet."""
    assert what in problems(authority.issue("old", LOOPBACK, starts=starts, lasts=lasts))["MESHFLOW_TLS_CERT_FILE"]


def test_a_certificate_for_clients_only_is_refused(authority: Authority) -> None:
    """Its extended key usage lacks serverAuth."""
    files = authority.issue("client", LOOPBACK, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    assert "not for servers" in problems(files)["MESHFLOW_TLS_CERT_FILE"]


@pytest.mark.parametrize("kind", ["ed25519", "rsa1024"])
def test_a_key_that_envoy_does_not_take_is_refused(authority: Authority, kind: str) -> None:
    """The same files must do with and without Envoy."""
    weak = rsa.generate_private_key(65537, 1024)
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else weak
    assert "do not take" in problems(authority.issue("odd", LOOPBACK, key=key))["MESHFLOW_TLS_CERT_FILE"]


def test_certificates_that_are_no_chain_are_refused(authority: Authority, tmp_path: Path) -> None:
    """The server's must come first, then the one that signed it."""
    files = authority.server()
    own, signer = files.certificate.read_bytes(), authority.file.read_bytes()
    files.certificate.write_bytes(own + signer)
    assert load(files).uses_tls
    other = Authority(tmp_path, "other").file.read_bytes()
    files.certificate.write_bytes(own + other)
    assert "not a chain" in problems(files)["MESHFLOW_TLS_CERT_FILE"]


def test_names_of_the_certificate_stay_its_own(authority: Authority) -> None:
    """A certificate without names is taken: which name callers expect is theirs to say."""
    assert load(authority.issue("plain", x509.DNSName("agents.example.org"))).uses_tls
