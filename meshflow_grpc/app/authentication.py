"""How callers prove who they are, as the settings say, and the files that are looked at again while serving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.app.reloading import ReloadedFiles
from meshflow_grpc.rpc.authenticators.api_key import ApiKeyAuthenticator, parse_api_keys
from meshflow_grpc.rpc.authenticators.jwt import JwtAuthenticator, JwtRules
from meshflow_grpc.rpc.authenticators.mtls import MtlsAuthenticator, parse_identities
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.config import Settings
    from meshflow_grpc.rpc.interceptors.authentication import Authenticator


def open_authenticator(settings: Settings, proof: str | None) -> tuple[Authenticator, tuple[ReloadedFiles, ...]]:
    """Returns it with its files; ``proof`` is what Envoy sends beside certificates. Raises ValueError for an unusable file."""
    if settings.auth == "api_key" and settings.api_keys_file is not None:
        return _api_keys(settings.api_keys_file)
    if settings.auth == "jwt" and settings.jwt_jwks_file is not None:
        rules = JwtRules(settings.jwt_audience or "", settings.jwt_issuer or "")
        return _key_set(settings.jwt_jwks_file, rules)
    if settings.auth == "mtls" and settings.mtls_identities_file is not None:
        return _identities(settings.mtls_identities_file, proof)
    return AnonymousAuthenticator(), ()


def _api_keys(path: Path) -> tuple[Authenticator, tuple[ReloadedFiles, ...]]:
    keys = ApiKeyAuthenticator(parse_api_keys(path.read_text()))
    return keys, (ReloadedFiles("api_keys", (path,), lambda: keys.replace(parse_api_keys(path.read_text()))),)


def _identities(path: Path, proof: str | None) -> tuple[Authenticator, tuple[ReloadedFiles, ...]]:
    callers = MtlsAuthenticator(parse_identities(path.read_text()), proof)
    apply = ReloadedFiles("mtls_identities", (path,), lambda: callers.replace(parse_identities(path.read_text())))
    return callers, (apply,)


def _key_set(path: Path, rules: JwtRules) -> tuple[Authenticator, tuple[ReloadedFiles, ...]]:
    tokens = JwtAuthenticator(path.read_text(), rules)
    return tokens, (ReloadedFiles("jwt_key_set", (path,), lambda: tokens.replace(path.read_text())),)
