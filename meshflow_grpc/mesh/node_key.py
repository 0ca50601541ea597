"""The Ed25519 key that proves to peers which node calls: PKCS #8 in PEM, its public half a JSON Web Key (RFC 8037)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from meshflow_grpc.domain.node_token import TOKEN_ALGORITHM


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A node's signing key; it never appears in a message or a repr."""

    private: Ed25519PrivateKey = field(repr=False)
    key_id: str
    public_jwk: str

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> NodeKey:
        """Derives the public half; its id is the key's thumbprint (RFC 7638), so equal keys have equal ids."""
        raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key_id = key_id_of(raw)
        return cls(private, key_id, _json({**_required(raw), "alg": TOKEN_ALGORITHM, "kid": key_id, "use": "sig"}))

    @classmethod
    def generate(cls) -> NodeKey:
        """Makes a key that lives as long as the process."""
        return cls.of(Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, pem: str) -> NodeKey:
        """Reads a key as ``openssl genpkey -algorithm ed25519`` writes it; raises ValueError that never holds the key."""
        try:
            private = load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError(
                "not an unencrypted Ed25519 private key in PEM; make one with: openssl genpkey -algorithm ed25519"
            )
        return cls.of(private)


def key_id_of(public_key: bytes) -> str:
    """Returns the thumbprint of a raw Ed25519 key (RFC 7638)."""
    return _base64url(hashlib.sha256(_json(_required(public_key)).encode()).digest())


def public_key_of(jwk: str) -> bytes | None:
    """Returns the raw Ed25519 key of a JSON Web Key (RFC 8037); None for any other."""
    try:
        members = json.loads(jwk)
        if members["kty"] != "OKP" or members["crv"] != "Ed25519":
            return None
        text = members["x"]
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    return raw


def _required(public_key: bytes) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public_key)}


def _json(members: dict[str, str]) -> str:
    return json.dumps(members, separators=(",", ":"), sort_keys=True)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
