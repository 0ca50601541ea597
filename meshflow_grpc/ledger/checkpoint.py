"""Signed tree heads: C2SP tlog-checkpoint in a C2SP signed note, with Ed25519 keys.

A note may carry several signatures, so that a key is rotated by signing with the old and the new one for a while. Unknown
signatures are ignored; a known key's bad signature refuses the note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.ledger.merkle import HASH_BYTES
from meshflow_grpc.ledger.note_key import SigningKey, VerifierKey, from_base64, to_base64

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_NOTE_BYTES: Final = 1 << 20
MAX_SIGNATURES: Final = 64

_KEY_ID_BYTES = 4
_SIGNATURE_LINE = re.compile(r"— (?P<name>[^\s+]+) (?P<signature>\S+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointError(InvalidRequestError):
    """A checkpoint cannot be believed; ``violations`` name the part that is wrong."""

    @classmethod
    def at(cls, field: str, description: str) -> CheckpointError:
        """Builds the error for one field."""
        return cls(f"{field}: {description}", violations=(FieldViolation(field, description),))


class MalformedCheckpointError(CheckpointError):
    """The text is not a checkpoint."""


class BadSignatureError(CheckpointError):
    """A trusted key's signature is not one of this text."""


class UntrustedCheckpointError(CheckpointError):
    """No trusted key signed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's name, how many entries it has, and the Merkle root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Returns the text that is signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that was verified: its note as signed, and the trusted keys that signed it."""

    checkpoint: Checkpoint
    note: str
    signers: tuple[VerifierKey, ...]


def sign_checkpoint(checkpoint: Checkpoint, keys: Sequence[SigningKey]) -> str:
    """Returns the note with a signature of each key, in order; raises InvalidRequestError for a bad checkpoint or no key."""
    if not keys:
        raise InvalidRequestError.of(FieldViolation("keys", "a checkpoint needs at least one signing key"))
    text = checkpoint.text()
    try:
        signed = text.encode()
    except UnicodeEncodeError as error:
        raise MalformedCheckpointError.at("origin", "must be valid Unicode") from error
    if parse_checkpoint(text) != checkpoint:
        raise MalformedCheckpointError.at("origin", "must be one non-empty line")
    return text + "\n" + "".join(f"— {key.name} {to_base64(key.key_id + key.sign(signed))}\n" for key in keys)


def parse_checkpoint(text: str) -> Checkpoint:
    """Parses the text of a checkpoint, without its signatures; raises MalformedCheckpointError."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] != "":
        raise MalformedCheckpointError.at(
            "checkpoint", "must have the lines origin, size and root; extension lines are not signed by this log"
        )
    origin, size, root_text, _ = lines
    if not origin or any(character < " " for character in origin):
        raise MalformedCheckpointError.at("origin", "must be a non-empty line without control characters")
    if not _SIZE.fullmatch(size):
        raise MalformedCheckpointError.at("size", f"{size!r} is not a decimal number without leading zeros")
    root = from_base64(root_text)
    if root is None or len(root) != HASH_BYTES:
        raise MalformedCheckpointError.at("root", f"{root_text!r} is not the base64 of {HASH_BYTES} bytes")
    return Checkpoint(origin, int(size), root)


def open_checkpoint(note: str | bytes, trusted: Collection[VerifierKey], origin: str | None = None) -> SignedCheckpoint:
    """Verifies a note against trusted keys and returns its checkpoint.

    Raises MalformedCheckpointError, BadSignatureError (a trusted key's signature does not verify), UntrustedCheckpointError (no
    trusted key signed), or CheckpointError when ``origin`` is given and is another log's.
    """
    whole = _decode(note)
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise MalformedCheckpointError.at("checkpoint", "must be a text, an empty line, and signature lines")
    text += "\n"
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedCheckpointError.at("signatures", f"there are more than {MAX_SIGNATURES}")
    signers: list[VerifierKey] = []
    for number, line in enumerate(lines, 1):
        signer = _verify_line(line, f"signature {number}", text.encode(), trusted)
        if signer is not None and signer not in signers:
            signers.append(signer)
    if not signers:
        raise UntrustedCheckpointError.at(
            "signatures", f"none of {len(lines)} is by one of the {len(trusted)} trusted keys"
        )
    checkpoint = parse_checkpoint(text)
    if origin is not None and checkpoint.origin != origin:
        raise CheckpointError.at("origin", f"the checkpoint is of {checkpoint.origin!r}, not of {origin!r}")
    return SignedCheckpoint(checkpoint, whole, tuple(signers))


def _decode(note: str | bytes) -> str:
    try:
        data = note.encode() if isinstance(note, str) else note
        text = data.decode()
    except UnicodeError as error:
        raise MalformedCheckpointError.at("checkpoint", "is not UTF-8") from error
    if len(data) > MAX_NOTE_BYTES or any(character < " " and character != "\n" for character in text):
        raise MalformedCheckpointError.at("checkpoint", "is too large or holds control characters")
    return text


def _verify_line(line: str, field: str, text: bytes, trusted: Collection[VerifierKey]) -> VerifierKey | None:
    """Returns the trusted key that signed, or None for a key that is not known."""
    match = _SIGNATURE_LINE.fullmatch(line)
    signature = from_base64(match["signature"]) if match else None
    if match is None or signature is None or len(signature) <= _KEY_ID_BYTES:
        raise MalformedCheckpointError.at(
            field, "must be an em dash, a key name and the base64 of key id and signature"
        )
    key_id = signature[:_KEY_ID_BYTES]
    for key in trusted:
        if key.name == match["name"] and key.key_id == key_id:
            if not key.verifies(signature[_KEY_ID_BYTES:], text):
                raise BadSignatureError.at(field, f"is not a signature of this text by {key.name}")
            return key
    return None
