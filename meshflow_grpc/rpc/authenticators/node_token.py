"""Tokens of other nodes: short-lived, for this node alone, used once (RFC 7519, 8725)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from meshflow_grpc.domain.errors import UnauthenticatedError
from meshflow_grpc.domain.node_token import (
    CALL_CLAIM,
    LEEWAY_S,
    LIFETIME_S,
    NODE_HEADER,
    NODE_METHOD,
    NODE_ROLES,
    ROLES_CLAIM,
    TENANT_CLAIM,
    TOKEN_ALGORITHM,
    TOKEN_TYPE,
    NodeRefusedError,
    RefusalCause,
    digest_of_call,
)
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.rpc.authenticators.bearer import bearer_token
from meshflow_grpc.rpc.authenticators.used_tokens import UsedTokens
from meshflow_grpc.rpc.call import current_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.ports.node_keys import KeyHolder, NodeKeys
    from meshflow_grpc.rpc.interceptors.authentication import Authenticator

MAX_CHARS = 4096
MAX_SLUG = 100
_CLAIMS = ["iss", "sub", "aud", "iat", "exp", "jti", TENANT_CLAIM, ROLES_CLAIM]
_CAUSES: tuple[tuple[type[jwt.PyJWTError], RefusalCause], ...] = (
    (jwt.InvalidSignatureError, RefusalCause.BAD_SIGNATURE),
    (jwt.InvalidAudienceError, RefusalCause.WRONG_AUDIENCE),
)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    key_id: str
    slug: str


class NodeTokenAuthenticator:
    """Verifies the tokens of nodes that call ``audience``, this node's slug."""

    def __init__(self, audience: str, keys: NodeKeys, now: Callable[[], float] = time.time) -> None:
        self._audience = audience
        self._keys = keys
        self._now = now
        self._used = UsedTokens(LIFETIME_S + 2 * LEEWAY_S)

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator; raises NodeRefusedError with the cause."""
        token = _parsed(metadata)
        holders = await self._keys.holders(token.key_id, token.slug)
        if not holders:
            raise NodeRefusedError(RefusalCause.UNKNOWN_NODE, token.slug)
        claims = self._verified(token, holders[0].public_key)
        principal = _principal_of(claims, token.slug, holders)
        _check_call(claims, token.slug)
        if not self._used.use(f"{token.key_id} {claims['jti']}", self._now()):
            raise NodeRefusedError(RefusalCause.REPLAYED, token.slug)
        return principal

    def _verified(self, token: _Token, public_key: bytes) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token.text,
                Ed25519PublicKey.from_public_bytes(public_key),
                algorithms=[TOKEN_ALGORITHM],
                audience=self._audience,
                issuer=token.slug,
                options={
                    "require": _CLAIMS,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "strict_aud": True,
                },
            )
        except jwt.PyJWTError as error:
            cause = next((cause for kind, cause in _CAUSES if isinstance(error, kind)), RefusalCause.MALFORMED)
            raise NodeRefusedError(cause, token.slug) from None
        self._check_times(claims, token.slug)
        return claims

    def _check_times(self, claims: Mapping[str, Any], slug: str) -> None:
        issued, expires, now = claims["iat"], claims["exp"], self._now()
        if type(issued) is not int or type(expires) is not int:
            raise NodeRefusedError(RefusalCause.MALFORMED, slug)
        if expires + LEEWAY_S <= now:
            raise NodeRefusedError(RefusalCause.EXPIRED, slug)
        if issued - LEEWAY_S > now:
            raise NodeRefusedError(RefusalCause.NOT_YET_VALID, slug)
        if expires - issued > LIFETIME_S:
            raise NodeRefusedError(RefusalCause.LIVES_TOO_LONG, slug)


class NodesAndUsers:
    """Nodes prove themselves with their tokens, everyone else as the server is configured; refused nodes are told to an observer."""

    def __init__(
        self, nodes: NodeTokenAuthenticator, users: Authenticator, refused: Callable[[NodeRefusedError], None]
    ) -> None:
        self._nodes = nodes
        self._users = users
        self._refused = refused

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator. A call that says it comes from a node is never taken for a user's."""
        if not _from_a_node(metadata):
            return await self._users.authenticate(metadata)
        try:
            return await self._nodes.authenticate(metadata)
        except NodeRefusedError as error:
            self._refused(error)
            raise


def _from_a_node(metadata: Mapping[str, str]) -> bool:
    if NODE_HEADER in metadata:
        return True
    try:
        header = jwt.get_unverified_header(bearer_token(metadata))
    except (UnauthenticatedError, jwt.PyJWTError):
        return False
    return header.get("typ") == TOKEN_TYPE


def _parsed(metadata: Mapping[str, str]) -> _Token:
    claimed = metadata.get(NODE_HEADER, "")[:MAX_SLUG]
    try:
        text = bearer_token(metadata)
    except UnauthenticatedError:
        raise NodeRefusedError(RefusalCause.NO_CREDENTIAL, claimed) from None
    try:
        if len(text) > MAX_CHARS:
            raise NodeRefusedError(RefusalCause.MALFORMED, claimed)
        unverified = jwt.decode_complete(text, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise NodeRefusedError(RefusalCause.NO_CREDENTIAL, claimed) from None
    header, slug = unverified["header"], unverified["payload"].get("iss")
    if header.get("typ") != TOKEN_TYPE:
        raise NodeRefusedError(RefusalCause.NO_CREDENTIAL, claimed)
    if not isinstance(slug, str) or not isinstance(header.get("kid"), str) or claimed not in {"", slug}:
        raise NodeRefusedError(RefusalCause.MALFORMED, claimed)
    return _Token(text, header["kid"], slug[:MAX_SLUG])


def _check_call(claims: Mapping[str, Any], slug: str) -> None:
    """Nodes of before name no call in their tokens."""
    if CALL_CLAIM in claims:
        call = current_call()
        if claims[CALL_CLAIM] != digest_of_call(call.method, call.request):
            raise NodeRefusedError(RefusalCause.OTHER_CALL, slug)


def _principal_of(claims: Mapping[str, Any], slug: str, holders: tuple[KeyHolder, ...]) -> Principal:
    tenant, roles = claims[TENANT_CLAIM], claims[ROLES_CLAIM]
    if not isinstance(tenant, str) or not tenant or all(node.tenant_id not in {"", tenant} for node in holders):
        raise NodeRefusedError(RefusalCause.WRONG_TENANT, slug)
    if (
        not isinstance(roles, list)
        or not roles
        or any(not isinstance(role, str) or role not in NODE_ROLES for role in roles)
    ):
        raise NodeRefusedError(RefusalCause.WRONG_ROLES, slug)
    return Principal(f"node:{slug}", tenant, frozenset(roles), NODE_METHOD)
