"""How callers prove who they are, as the settings say, and the files that are looked at again while serving."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from meshflow_grpc.app.followed_keys import FollowedKeys
from meshflow_grpc.app.reloading import ReloadedFiles
from meshflow_grpc.providers.jwks import fetch_jwks
from meshflow_grpc.rpc.authenticators.api_key import ApiKeyAuthenticator, parse_api_keys
from meshflow_grpc.rpc.authenticators.jwt import JwtAuthenticator, JwtRules
from meshflow_grpc.rpc.authenticators.mtls import MtlsAuthenticator, parse_identities
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator
from meshflow_grpc.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path
    from typing import Any

    from meshflow_grpc.config import Settings
    from meshflow_grpc.rpc.interceptors.authentication import Authenticator


@dataclass(frozen=True, slots=True)
class Opened:
    """What verifies callers, the files it came from, and what keeps it current besides."""

    authenticator: Authenticator
    files: tuple[ReloadedFiles, ...] = ()
    upkeep: Callable[[], Coroutine[Any, Any, None]] | None = None


async def open_authentication(settings: Settings, proof: str | None) -> Opened:
    """Opens it; ``proof`` is what Envoy sends beside certificates. Raises ValueError and OSError for what cannot be used."""
    if settings.auth == "jwt" and settings.jwt_jwks_url is not None:
        followed = FollowedKeys(
            partial(fetch_jwks, settings.jwt_jwks_url), settings.jwt_jwks_refresh_s, SystemClock().monotonic
        )
        return Opened(await followed.open(_rules(settings)), upkeep=followed.keep)
    return await asyncio.to_thread(_from_files, settings, proof)


def _from_files(settings: Settings, proof: str | None) -> Opened:
    if settings.auth == "api_key" and settings.api_keys_file is not None:
        return _api_keys(settings.api_keys_file)
    if settings.auth == "jwt" and settings.jwt_jwks_file is not None:
        return _key_set(settings.jwt_jwks_file, _rules(settings))
    if settings.auth == "mtls" and settings.mtls_identities_file is not None:
        return _identities(settings.mtls_identities_file, proof)
    return Opened(AnonymousAuthenticator())


def _rules(settings: Settings) -> JwtRules:
    claims = settings.jwt_tenant_claim, settings.jwt_roles_claim
    return JwtRules(settings.jwt_audience or "", settings.jwt_issuer or "", *claims)


@contextmanager
def _named(variable: str, path: Path) -> Iterator[None]:
    """What is wrong with a file is said with its name and the setting that names it."""
    try:
        yield
    except ValueError as error:
        what = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        message = f"{variable}: {path}: {what}"
        raise ValueError(message) from error


def _api_keys(path: Path) -> Opened:
    with _named("MESHFLOW_API_KEYS_FILE", path):
        keys = ApiKeyAuthenticator(parse_api_keys(path.read_text()))
    apply = ReloadedFiles("api_keys", (path,), lambda: keys.replace(parse_api_keys(path.read_text())))
    return Opened(keys, (apply,))


def _identities(path: Path, proof: str | None) -> Opened:
    with _named("MESHFLOW_MTLS_IDENTITIES_FILE", path):
        callers = MtlsAuthenticator(parse_identities(path.read_text()), proof)
    apply = ReloadedFiles("mtls_identities", (path,), lambda: callers.replace(parse_identities(path.read_text())))
    return Opened(callers, (apply,))


def _key_set(path: Path, rules: JwtRules) -> Opened:
    with _named("MESHFLOW_JWT_JWKS_FILE", path):
        tokens = JwtAuthenticator(path.read_text(), rules)
    return Opened(tokens, (ReloadedFiles("jwt_key_set", (path,), lambda: tokens.replace(path.read_text())),))
