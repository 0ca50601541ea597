"""Ed25519 keys of signed notes in their text forms: the public vkey and the secret skey (C2SP signed-note)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES: Final = 32

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_VKEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>\S+)")
_SKEY = re.compile(r"PRIVATE\+KEY\+" + _VKEY.pattern)


class KeyFormatError(InvalidRequestError):
    """A key's text or name is not valid. The message never holds a secret key."""

    @classmethod
    def at(cls, field_name: str, description: str) -> KeyFormatError:
        """Builds the error for one field."""
        return cls(f"{field_name}: {description}", violations=(FieldViolation(field_name, description),))


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Parses ``name+id+base64``; raises KeyFormatError."""
        name, key_id, data = _parsed(_VKEY, vkey.strip(), "vkey")
        key = cls(name, data)
        if key.key_id != key_id:
            raise KeyFormatError.at("vkey", f"the id of {name} is {key.key_id.hex()}, not {key_id.hex()}")
        return key

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which a signature line names this key."""
        return _key_id(self.name, self.public_key)

    @property
    def vkey(self) -> str:
        """The key as text, for an auditor's list of trusted keys."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(_ED25519 + self.public_key)}"

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """Whether this key signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name it signs under. Its representation holds no secret."""

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KeyFormatError.at("name", "a key's name must be non-empty, without spaces and plus signs")

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.private_key.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which a signature line names this key."""
        return self.verifier.key_id

    def sign(self, text: bytes) -> bytes:
        """Returns the Ed25519 signature of a text (RFC 8032)."""
        return self.private_key.sign(text)

    def skey(self) -> str:
        """Returns the secret text form, to be kept in a file that only its owner can read."""
        seed = self.private_key.private_bytes_raw()
        return f"PRIVATE+KEY+{self.name}+{self.key_id.hex()}+{to_base64(_ED25519 + seed)}"


def generate_signing_key(name: str, random_bytes: Callable[[int], bytes]) -> SigningKey:
    """Makes a key from 32 bytes of a cryptographic random source; raises KeyFormatError for a bad name."""
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(random_bytes(KEY_BYTES)))


def load_signing_key(skey: str) -> SigningKey:
    """Parses the secret text form; raises KeyFormatError."""
    name, key_id, seed = _parsed(_SKEY, skey.strip(), "skey")
    key = SigningKey(name, Ed25519PrivateKey.from_private_bytes(seed))
    if key.key_id != key_id:
        raise KeyFormatError.at("skey", f"the id of {name} does not match its key")
    return key


def parse_vkeys(text: str) -> tuple[VerifierKey, ...]:
    """Parses a list of vkeys, one a line; empty lines and lines that start with ``#`` are skipped. Raises KeyFormatError."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(VerifierKey.parse(line) for line in lines if line and not line.startswith("#"))


def to_base64(data: bytes) -> str:
    """Returns standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes | None:
    """Returns the bytes of standard base64, or None unless the text is exactly what ``to_base64`` gives for them."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if to_base64(data) == text else None


def _parsed(pattern: re.Pattern[str], text: str, what: str) -> tuple[str, bytes, bytes]:
    match = pattern.fullmatch(text)
    data = from_base64(match["key"]) if match else None
    if match is None or data is None:
        raise KeyFormatError.at(what, "must be a name, an id of 8 hex digits and base64, joined by plus signs")
    if data[:1] != _ED25519 or len(data) != 1 + KEY_BYTES:
        raise KeyFormatError.at(what, f"the key of {match['name']} is not an Ed25519 key (type 1, {KEY_BYTES} bytes)")
    return match["name"], bytes.fromhex(match["id"]), data[1:]


def _key_id(name: str, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]
