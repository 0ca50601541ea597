"""How this node proves itself to a peer: a signed token for each call, and TLS where the peer serves it."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import grpc
import jwt

from meshflow_grpc.domain.address import leaves_this_machine
from meshflow_grpc.domain.node_token import (
    CALL_CLAIM,
    LIFETIME_S,
    NODE_HEADER,
    ROLES_CLAIM,
    TENANT_CLAIM,
    TOKEN_ALGORITHM,
    TOKEN_TYPE,
)
from meshflow_grpc.ports.mesh import PeerUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.mesh.channel_files import ChannelFiles
    from meshflow_grpc.mesh.node_key import NodeKey

ROLES = ("operator",)


class SignedCalls:
    """Implements ports.mesh.NodeCredentials. A token is for one call to one peer in one tenant; peers refuse it otherwise."""

    def __init__(
        self,
        slug: str,
        key: NodeKey,
        files: ChannelFiles,
        now: Callable[[], float] = time.time,
        *,
        allow_plaintext: bool = False,
    ) -> None:
        self._slug = slug
        self._key = key
        self._files = files
        self._now = now
        self._allow_plaintext = allow_plaintext
        self._headers = {"typ": TOKEN_TYPE, "kid": key.key_id}

    @property
    def public_jwk(self) -> str:
        """The key that peers verify with, as JSON Web Key text."""
        return self._key.public_jwk

    def metadata(self, node: MeshNode, tenant_id: str, digest: str = "") -> tuple[tuple[str, str], ...]:
        """Returns what the call with this digest carries, without one any call; call it anew for every call, a repetition included."""
        now = int(self._now())
        claims = {
            "iss": self._slug,
            "sub": f"node:{self._slug}",
            "aud": node.slug,
            "iat": now,
            "exp": now + LIFETIME_S,
            "jti": secrets.token_urlsafe(16),
            TENANT_CLAIM: tenant_id,
            ROLES_CLAIM: list(ROLES),
        }
        if digest:
            claims[CALL_CLAIM] = digest
        token = jwt.encode(claims, self._key.private, TOKEN_ALGORITHM, headers=self._headers)
        return (("authorization", f"Bearer {token}"), (NODE_HEADER, self._slug))

    def channel_credentials(self, node: MeshNode, endpoint: str) -> grpc.ChannelCredentials | None:
        """Returns what a channel to the peer is encrypted with; None for a peer that serves without TLS. Reads the files anew.

        Raises PeerUnreachableError where what is sent would cross a network in the clear, unless that is allowed.
        """
        if node.tls:
            return self._files.credentials()
        if leaves_this_machine(endpoint) and not self._allow_plaintext:
            message = f"{endpoint} is served without TLS; serve it with, or set MESHFLOW_MESH_ALLOW_PLAINTEXT=1 here"
            raise PeerUnreachableError(message, sent=False)
        return None
