"""What a node's token says, agreed between the node that signs it and the one that reads it."""

from __future__ import annotations

import base64
import hashlib
from enum import StrEnum

from meshflow_grpc.domain.errors import UnauthenticatedError

TOKEN_TYPE = "meshflow-node+jwt"  # RFC 8725 §3.11: explicit typing keeps users' tokens and nodes' apart
TOKEN_ALGORITHM = "EdDSA"
TENANT_CLAIM = "tenant"
ROLES_CLAIM = "roles"
CALL_CLAIM = "call"
NODE_METHOD = "node"  # how the principal of a run that a node asked for was proven
NODE_HEADER = "meshflow-node"  # metadata in which a calling node says its slug, with or without a credential
LIFETIME_S = 60
LEEWAY_S = 5
NODE_ROLES = frozenset({"viewer", "operator"})  # a node never decides approvals, and never erases


class RefusalCause(StrEnum):
    """Why a node was refused."""

    NO_CREDENTIAL = "no_credential"
    MALFORMED = "malformed"
    UNKNOWN_NODE = "unknown_node"
    BAD_SIGNATURE = "bad_signature"
    WRONG_AUDIENCE = "wrong_audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    LIVES_TOO_LONG = "lives_too_long"
    REPLAYED = "replayed"
    OTHER_CALL = "other_call"
    WRONG_TENANT = "wrong_tenant"
    WRONG_ROLES = "wrong_roles"


_SAID = {
    RefusalCause.NO_CREDENTIAL: "the call says it comes from a node and has no node's token; send one signed by the node's key",
    RefusalCause.MALFORMED: "the node's token is not one this server reads",
    RefusalCause.UNKNOWN_NODE: "no node of that name with that key is registered; register it first",
    RefusalCause.BAD_SIGNATURE: "the node's token is not signed by the key that its node registered",
    RefusalCause.WRONG_AUDIENCE: "the node's token is for another node",
    RefusalCause.EXPIRED: "the node's token has expired; compare the clocks of the two machines",
    RefusalCause.NOT_YET_VALID: "the node's token is of the future; compare the clocks of the two machines",
    RefusalCause.LIVES_TOO_LONG: f"a node's token lives at most {LIFETIME_S} s",
    RefusalCause.REPLAYED: "the node's token was used before; each call has one of its own",
    RefusalCause.OTHER_CALL: "the node's token was made for another call; each call has one of its own",
    RefusalCause.WRONG_TENANT: "the node does not serve the tenant that its token names",
    RefusalCause.WRONG_ROLES: f"a node's token names some of the roles {', '.join(sorted(NODE_ROLES))} and no other",
}


class NodeRefusedError(UnauthenticatedError):
    """A peer did not prove who it is. ``slug`` is what it claimed to be, and proves nothing."""

    def __init__(self, cause: RefusalCause, slug: str = "") -> None:
        super().__init__(_SAID[cause], metadata={"cause": cause.value})
        self.cause = cause
        self.slug = slug


def digest_of_call(method: str, request: bytes) -> str:
    """What binds a token to a call: SHA-256 over the full method name, a zero byte and the request's bytes, in base64url (RFC 4648)."""
    digest = hashlib.sha256(method.encode() + b"\0" + request).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
