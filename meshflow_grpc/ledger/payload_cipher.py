"""Payloads at rest: sealed with the key of their run, which the operator's key wraps (docs/ledger-format.md, Encryption).

AES-256-GCM throughout. What is sealed is bound to its place, so that it opens nowhere else. Salts are sealed with their payloads:
a readable salt would let a guess be checked against the commitment.
"""

from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meshflow_grpc.domain.errors import PayloadKeyUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12

MARK: Final = "mfenc"
_SEALED: Final = "mfenc1."
_VERBATIM: Final = "mfenc0."
_KEY_ID_DOMAIN = b"meshflow/v1/payload-key-id\0"
_WRAP_DOMAIN = b"meshflow/v1/payload-key\0"
_SEAL_DOMAIN = b"meshflow/v1/sealed\0"
_RECORD_DOMAIN = b"meshflow/v1/checkpoint\0"
_SEPARATORS = re.compile(r"[\s,]+")
_length = Struct(">Q").pack


class UnreadableError(ValueError):
    """A sealed text or a wrapped key was changed, moved, or made with another key of the same run."""


class WrappedKey(NamedTuple):
    """A run's key as stored: ``wrapped`` is base64 of nonce and sealed key, ``key_id`` names the operator's key that opens it."""

    run_id: str
    key_id: str
    wrapped: str


class Opened(NamedTuple):
    """A text and its salt (lower-case hex), None when the text has none."""

    text: str
    salt: str | None


class DataKey:
    """The key of one run."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, owner: bytes, place: bytes, text: str, salt: str | None, nonce: bytes) -> str:
        """Returns text and salt as one sealed text; ``nonce`` is 12 bytes never used with this key before."""
        salted = bytes.fromhex(salt) if salt is not None else b""
        plain = bytes((len(salted),)) + salted + text.encode()
        return _SEALED + _to_base64(nonce + self._cipher.encrypt(nonce, plain, _SEAL_DOMAIN + owner + place))

    def open(self, owner: bytes, place: bytes, sealed: str) -> Opened:
        """Returns what was sealed at this place; raises UnreadableError."""
        data = _from_base64(sealed.removeprefix(_SEALED))
        try:
            nonce, body = data[:NONCE_BYTES], data[NONCE_BYTES:]
            plain = self._cipher.decrypt(nonce, body, _SEAL_DOMAIN + owner + place)
        except (InvalidTag, ValueError) as error:
            raise UnreadableError("the sealed text was changed or moved") from error
        end = 1 + plain[0]
        return Opened(plain[end:].decode(), plain[1:end].hex() or None)


class PayloadKeys:
    """The operator's keys: the first wraps the keys of new runs, all of them unwrap. Without any, payloads are stored as they are."""

    def __init__(self, keys: tuple[bytes, ...] = ()) -> None:
        self._ids = tuple(map(key_id_of, keys))
        self._keys = dict(zip(self._ids, keys, strict=True))

    @classmethod
    def parse(cls, text: str) -> PayloadKeys:
        """Reads keys, base64 of 32 bytes each, apart by commas or white space; raises ValueError, which tells nothing of them."""
        keys = tuple(_key_of(place, part) for place, part in enumerate(filter(None, _SEPARATORS.split(text)), start=1))
        if not keys:
            raise ValueError("holds no key; a key is 32 random bytes in base64")
        if len(set(keys)) != len(keys):
            raise ValueError("names one key twice")
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._ids)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys; they tell nothing of the keys."""
        return self._ids

    def new_key(self, run_id: str, random_bytes: Callable[[], bytes]) -> tuple[DataKey, WrappedKey]:
        """Makes a run's key; ``random_bytes`` gives 32 fresh ones a call. Only to be called where there is a key."""
        key = random_bytes()
        return DataKey(key), self._wrapped(run_id, key, random_bytes()[:NONCE_BYTES])

    def open_key(self, wrapped: WrappedKey) -> DataKey:
        """Returns a run's key; raises PayloadKeyUnavailableError without the key that wrapped it, UnreadableError for a changed one."""
        return DataKey(self._unwrapped(wrapped))

    def rewrapped(self, wrapped: WrappedKey, random_bytes: Callable[[], bytes]) -> WrappedKey:
        """Returns a run's key wrapped by the first key; raises as ``open_key``."""
        return self._wrapped(wrapped.run_id, self._unwrapped(wrapped), random_bytes()[:NONCE_BYTES])

    def seal_record(self, run_id: str, record: bytes, nonce: bytes) -> WrappedKey:
        """Seals a whole record of a run's checkpoint with the first key itself."""
        return self._wrapped(run_id, record, nonce, _RECORD_DOMAIN)

    def open_record(self, sealed: WrappedKey) -> bytes:
        """Returns what ``seal_record`` sealed; raises as ``open_key``."""
        return self._unwrapped(sealed, _RECORD_DOMAIN)

    def _wrapped(self, run_id: str, data: bytes, nonce: bytes, domain: bytes = _WRAP_DOMAIN) -> WrappedKey:
        key_id = self._ids[0]
        sealed = nonce + AESGCM(self._keys[key_id]).encrypt(nonce, data, domain + run_id.encode())
        return WrappedKey(run_id, key_id, _to_base64(sealed))

    def _unwrapped(self, wrapped: WrappedKey, domain: bytes = _WRAP_DOMAIN) -> bytes:
        key = self._keys.get(wrapped.key_id)
        if key is None:
            has = f"has the keys {', '.join(self._ids)}" if self._ids else "is not set"
            raise PayloadKeyUnavailableError(
                f"the payloads of run {wrapped.run_id!r} are encrypted with the key {wrapped.key_id}, and MESHFLOW_PAYLOAD_KEY {has}; "
                "add that key to it",
                metadata={"run_id": wrapped.run_id, "key_id": wrapped.key_id},
            )
        data = _from_base64(wrapped.wrapped)
        try:
            return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], domain + wrapped.run_id.encode())
        except (InvalidTag, ValueError) as error:
            raise UnreadableError(f"what was sealed of run {wrapped.run_id!r} was changed") from error


def key_id_of(key: bytes) -> str:
    """Returns the id of an operator's key: 16 hex digits of its SHA-256."""
    return sha256(_KEY_ID_DOMAIN + key).hexdigest()[:16]


NO_KEYS: Final = PayloadKeys()


def is_sealed(text: object) -> bool:
    """Whether a stored text needs a key to be read."""
    return isinstance(text, str) and text.startswith(_SEALED)


def verbatim(text: str) -> str:
    """Returns a text as it is stored without encryption: marked when it could be taken for a sealed one."""
    return _VERBATIM + text if text.startswith(MARK) else text


def plain(text: str) -> str:
    """Returns the text that ``verbatim`` stored."""
    return text.removeprefix(_VERBATIM) if text.startswith(_VERBATIM + MARK) else text


def owner_of(tenant_id: str, run_id: str) -> bytes:
    """Returns the part of a sealed text's place that is the same for a whole run."""
    return _framed(tenant_id.encode()) + _framed(run_id.encode())


def place_of(sequence: int, name: str) -> bytes:
    """Returns a payload's place in its run; texts of the run's row have the sequence 0."""
    return _framed(b"%d" % sequence) + _framed(name.encode())


def _framed(data: bytes) -> bytes:
    return _length(len(data)) + data


def _key_of(place: int, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"key {place} is not base64; a key is 32 random bytes in base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"key {place} has {len(key)} bytes; a key is 32 random bytes in base64")
    return key


def _to_base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _from_base64(text: str) -> bytes:
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise UnreadableError("not base64") from error
    # Spare bits are in the last four characters alone.
    if _to_base64(data[(len(data) - 1) // 3 * 3 :]) != text[-4:]:
        raise UnreadableError("not base64 in its one form")
    return data
