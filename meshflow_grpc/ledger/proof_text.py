"""Proofs as text: an inclusion proof is a C2SP ``tlog-proof@v1``, a consistency proof the body of C2SP tlog-witness ``add-checkpoint``.

Both end with the checkpoint they lead to, so that each can be verified, or sent to a witness, by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from meshflow_grpc.ledger.merkle import HASH_BYTES, InvalidProofError
from meshflow_grpc.ledger.note_key import from_base64, to_base64

PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_HASHES = 63


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The entry at ``index`` is in the checkpoint's tree. ``extra`` is opaque and not authenticated; ``checkpoint`` a signed note."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def text(self) -> str:
        """Returns the ``.tlog-proof`` text."""
        extra = "" if self.extra is None else f"extra {to_base64(self.extra)}\n"
        return f"{PROOF_HEADER}\n{extra}index {self.index}\n{_lines(self.hashes)}\n{self.checkpoint}"

    @classmethod
    def parse(cls, text: str) -> InclusionProof:
        """Parses a ``.tlog-proof`` text; raises InvalidProofError."""
        head, checkpoint = _head(text)
        if head[0] != PROOF_HEADER:
            raise InvalidProofError.at("header", f"must be {PROOF_HEADER}")
        extra, rest = None, head[1:]
        if rest and rest[0].startswith("extra "):
            extra = from_base64(rest[0].removeprefix("extra "))
            if extra is None:
                raise InvalidProofError.at("extra", "is not base64")
            rest = rest[1:]
        return cls(_number(rest, "index"), _hashes(rest[1:]), checkpoint, extra)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The tree of ``old_size`` entries is a prefix of the checkpoint's tree; ``checkpoint`` is a signed note."""

    old_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    def text(self) -> str:
        """Returns the text, which a witness takes as it is."""
        return f"old {self.old_size}\n{_lines(self.hashes)}\n{self.checkpoint}"

    @classmethod
    def parse(cls, text: str) -> ConsistencyProof:
        """Parses the text; raises InvalidProofError."""
        head, checkpoint = _head(text)
        return cls(_number(head, "old"), _hashes(head[1:]), checkpoint)


def _lines(hashes: tuple[bytes, ...]) -> str:
    return "".join(to_base64(value) + "\n" for value in hashes)


def _head(text: str) -> tuple[list[str], str]:
    head, blank, checkpoint = text.partition("\n\n")
    if not blank or not head:
        raise InvalidProofError.at("proof", "must be a head, an empty line, and a checkpoint")
    return head.split("\n"), checkpoint


def _number(lines: list[str], word: str) -> int:
    if not lines or not lines[0].startswith(f"{word} ") or not _NUMBER.fullmatch(lines[0].removeprefix(f"{word} ")):
        raise InvalidProofError.at(word, f"there must be a line {word!r} and a decimal number without leading zeros")
    return int(lines[0].removeprefix(f"{word} "))


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > _MAX_HASHES:
        raise InvalidProofError.at("hashes", f"there are more than {_MAX_HASHES}")
    hashes = []
    for number, line in enumerate(lines, 1):
        value = from_base64(line)
        if value is None or len(value) != HASH_BYTES:
            raise InvalidProofError.at(f"hash {number}", f"is not the base64 of {HASH_BYTES} bytes")
        hashes.append(value)
    return tuple(hashes)
