"""The bearer token of a call (RFC 6750)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED = "the credential is not valid"


def bearer_token(metadata: Mapping[str, str]) -> str:
    """Returns the token of ``authorization: Bearer …``; raises UnauthenticatedError when there is none."""
    scheme, _, token = metadata.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError("send the metadata (or header) authorization: Bearer <credential>")
    return token.strip()
