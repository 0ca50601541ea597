"""JSON Web Tokens (RFC 7519, 8725) signed by a key of a fixed set."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from meshflow_grpc.domain.errors import UnauthenticatedError
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.rpc.authenticators.bearer import REFUSED, bearer_token
from meshflow_grpc.rpc.authorization import ROLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ALGORITHMS = ("EdDSA", "ES256", "ES384", "RS256", "PS256")
LEEWAY_S = 60
CACHED_TOKENS = 10_000
CACHE_S = 60.0
_CLAIMS = ["exp", "iss", "aud", "sub"]


@dataclass(frozen=True, slots=True)
class JwtRules:
    """Whom a token must come from and be for, and which of its claims say tenant and roles.

    A claim inside others is named by its path, such as ``realm_access.roles``.
    """

    audience: str
    issuer: str
    tenant_claim: str = "tenant"
    roles_claim: str = "roles"


class JwtAuthenticator:
    """Verifies signature, expiry, issuer and audience; a token seen within the last minute is not verified again.

    ``unknown_key`` is awaited when a token names a key that is not in the set, which it may ``replace``.
    """

    def __init__(
        self,
        jwks: str,
        rules: JwtRules,
        now: Callable[[], float] = time.time,
        unknown_key: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._keys = _parsed(jwks)
        self._rules = rules
        self._now = now
        self._unknown_key = unknown_key
        self._seen: dict[bytes, tuple[float, Principal]] = {}

    def replace(self, jwks: str) -> None:
        """Uses this key set from the next call on; raises ValueError, and keeps the one before, when it cannot be used."""
        self._keys, self._seen = _parsed(jwks), {}

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator."""
        token = bearer_token(metadata)
        digest = hashlib.sha256(token.encode()).digest()
        seen = self._seen.get(digest)
        if seen is not None and self._now() < seen[0]:
            return seen[1]
        if self._unknown_key is not None and _key_id(token) not in self._keys:
            await self._unknown_key()
        claims = self._verified(token)
        principal = _principal_of(claims, self._rules)
        if len(self._seen) >= CACHED_TOKENS:
            self._seen.clear()
        self._seen[digest] = (min(self._now() + CACHE_S, float(claims["exp"])), principal)
        return principal

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            key = self._keys[_key_id(token)]
            algorithm = key.algorithm_name
            if algorithm not in ALGORITHMS:
                raise UnauthenticatedError(REFUSED)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._rules.audience,
                issuer=self._rules.issuer,
                leeway=LEEWAY_S,
                options={"require": _CLAIMS},
            )
        except jwt.ExpiredSignatureError:
            raise UnauthenticatedError("the token has expired") from None
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            raise UnauthenticatedError(REFUSED) from None
        return claims


def _key_id(token: str) -> str | None:
    """Which key a token says it was signed with; None when it says nothing that could be one."""
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError:
        raise UnauthenticatedError(REFUSED) from None
    return found if isinstance(found, str) else None


def _parsed(jwks: str) -> dict[str | None, jwt.PyJWK]:
    try:
        return {key.key_id: key for key in jwt.PyJWKSet.from_json(jwks).keys}
    except (jwt.PyJWTError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"the JSON Web Key Set cannot be used: {error}") from error


def _principal_of(claims: Mapping[str, Any], rules: JwtRules) -> Principal:
    """Roles that this server does not know give no right; without any the token is refused."""
    tenant, named = _claim(claims, rules.tenant_claim), _claim(claims, rules.roles_claim)
    roles = (
        frozenset(named) & set(ROLES) if isinstance(named, list) and all(isinstance(r, str) for r in named) else None
    )
    if not isinstance(tenant, str) or not tenant or not roles or not isinstance(claims["sub"], str):
        needed = f"{rules.tenant_claim}, sub and in {rules.roles_claim} some of {', '.join(ROLES)}"
        raise UnauthenticatedError(f"the token needs {needed}")
    return Principal(claims["sub"], tenant, roles, "jwt", _signed_in(claims))


def _signed_in(claims: Mapping[str, Any]) -> float | None:
    """When the person signed in (OpenID Connect ``auth_time``), else when the token was issued; a renewed token is no new sign-in."""
    told = claims.get("auth_time", claims.get("iat"))
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None


def _claim(claims: Any, path: str) -> Any:
    """A claim by its name, which may hold dots, or else by its path; None when it is not there."""
    if not isinstance(claims, dict):
        return None
    if path in claims:
        return claims[path]
    first, _, rest = path.partition(".")
    return _claim(claims.get(first), rest) if rest else None
