"""C2SP signed notes, checkpoints and the two proof texts, as an auditor reads them."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """A note, key or proof cannot be read or believed."""


class TrustedKey(NamedTuple):
    """A public key that the auditor trusts."""

    name: str
    key_id: bytes
    public_key: bytes


class Head(NamedTuple):
    """A verified tree head and the names of the trusted keys that signed it."""

    origin: str
    size: int
    root: bytes
    signers: tuple[str, ...]


class ProofText(NamedTuple):
    """The parts of a proof: the number and hashes of its head, its extra line, and the checkpoint it ends with."""

    number: int
    hashes: list[bytes]
    extra: bytes
    checkpoint: str


def trusted_keys(text: str) -> list[TrustedKey]:
    """Parses vkeys, one a line, ``#`` for comments; raises NoteError."""
    keys = []
    for line in filter(
        None, (line.partition("#")[0].strip() if line.startswith("#") else line.strip() for line in text.splitlines())
    ):
        name, _, rest = line.partition("+")
        key_id, _, encoded = rest.partition("+")
        key = _base64(encoded)
        if key is None or len(key) != 33 or key[0] != 1:
            message = f"{line[:60]!r} is not an Ed25519 vkey (name+id+base64)"
            raise NoteError(message)
        if sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
            message = f"the id of vkey {name!r} does not match its key"
            raise NoteError(message)
        keys.append(TrustedKey(name, bytes.fromhex(key_id), key[1:]))
    if not keys:
        message = "there is no key in it"
        raise NoteError(message)
    return keys


def open_checkpoint(note: str, keys: list[TrustedKey]) -> Head:
    """Verifies a signed checkpoint; raises NoteError unless a trusted key signed it and none of their signatures is bad."""
    text, blank, block = note.rpartition("\n\n")
    if not blank or not block.endswith("\n") or any(character < " " and character != "\n" for character in note):
        message = "is not a signed note"
        raise NoteError(message)
    text += "\n"
    try:
        signed = text.encode()
    except UnicodeEncodeError as error:
        message = "is not UTF-8"
        raise NoteError(message) from error
    signers = [name for line in block[:-1].split("\n") for name in _signer(line, signed, keys)]
    if not signers:
        message = "is not signed by a trusted key"
        raise NoteError(message)
    lines = text.split("\n")
    root = _base64(lines[2]) if len(lines) == 4 else None
    if not lines[0] or not _NUMBER.fullmatch(lines[1]) or root is None or len(root) != 32:
        message = "is not a checkpoint of the lines origin, size and root"
        raise NoteError(message)
    return Head(lines[0], int(lines[1]), root, tuple(dict.fromkeys(signers)))


def _signer(line: str, signed: bytes, keys: list[TrustedKey]) -> list[str]:
    match = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
    signature = _base64(match[2]) if match else None
    if match is None or signature is None or len(signature) < 5:
        message = f"has a malformed signature line: {line[:60]!r}"
        raise NoteError(message)
    for key in keys:
        if (key.name, key.key_id) == (match[1], signature[:4]):
            try:
                Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature[4:], signed)
            except InvalidSignature as error:
                message = f"has a bad signature by the trusted key {key.name}"
                raise NoteError(message) from error
            return [key.name]
    return []


def parse_proof(text: str, word: str, header: str = "") -> ProofText:
    """Parses a tlog-proof (``index``) or a consistency proof (``old``); raises NoteError."""
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if header and lines.pop(0) != header:
        message = f"does not start with {header}"
        raise NoteError(message)
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _base64(lines.pop(0)[6:]) or b""
    number = lines.pop(0).partition(" ") if lines else ("", "", "")
    hashes = [value for value in map(_base64, lines) if value is not None and len(value) == 32]
    if not blank or number[0] != word or not _NUMBER.fullmatch(number[2]) or len(hashes) != len(lines):
        message = f"is not a proof of the lines {word!r}, hashes, an empty line and a checkpoint"
        raise NoteError(message)
    return ProofText(int(number[2]), hashes, extra, checkpoint)


def _base64(text: str) -> bytes | None:
    """Returns the bytes of standard base64 in its only form, or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None
