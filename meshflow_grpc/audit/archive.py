"""Reads a bundle's tar, of which every byte has only one allowed value: fixed headers, sorted names, no padding but zeros."""

from __future__ import annotations

import mmap
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_KNOWN = re.compile(
    r"README\.txt|approvals\.jsonl|keys\.txt|manifest\.json|payloads\.jsonl|records\.jsonl|runs\.jsonl"
    r"|peers/[A-Za-z0-9_.-]{1,80}\.tar|checkpoints/\d{12,}\.txt|consistency/\d{12,}-\d{12,}\.txt|policies/[0-9a-f]{64}\.json|proofs/\d{12,}\.tlog-proof"
)
REQUIRED = frozenset(
    {"README.txt", "approvals.jsonl", "keys.txt", "manifest.json", "payloads.jsonl", "records.jsonl", "runs.jsonl"}
)


class ArchiveError(Exception):
    """The file is not an archive of the expected form; ``file`` names the part of it."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(message)
        self.file = file


class Span(NamedTuple):
    """Where a file's content lies in the archive."""

    start: int
    end: int


class Archive:
    """The files of a bundle, read where they lie, in a file or in memory. Raises ArchiveError for anything but the exact form."""

    def __init__(self, source: Path | bytes) -> None:
        self._data: mmap.mmap | bytes = source if isinstance(source, bytes) else _mapped(source)
        self._spans: dict[str, Span] = {}
        try:
            self._index()
        except ArchiveError:
            self.close()
            raise

    def close(self) -> None:
        """Releases the file."""
        if not isinstance(self._data, bytes):
            self._data.close()

    def names(self, prefix: str = "") -> list[str]:
        """Returns the names of the files below a folder, sorted."""
        return [name for name in self._spans if name.startswith(prefix)]

    def read(self, name: str) -> bytes:
        """Returns a file's content."""
        span = self._spans[name]
        return self._data[span.start : span.end]

    def text(self, name: str) -> str:
        """Returns a file's content as text; bytes that are not UTF-8 become characters no valid file holds."""
        return self.read(name).decode("utf-8", "surrogateescape")

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yields a file's content in pieces."""
        start, end = self._spans[name]
        for place in range(start, end, 1 << 20):
            yield self._data[place : min(place + (1 << 20), end)]

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yields the lines of a file with their numbers from 1; a last line without an end is yielded with a line feed too much."""
        start, end = self._spans[name]
        find, number = self._data.find, 0
        while start < end:
            number += 1
            stop = find(b"\n", start, end)
            if stop < 0:
                yield number, self._data[start:end] + b"\n"
                return
            yield number, self._data[start:stop]
            start = stop + 1

    def size(self, name: str) -> int:
        """Returns how many bytes a file has."""
        span = self._spans[name]
        return span.end - span.start

    def _index(self) -> None:
        if len(self._data) < len(_END):
            raise ArchiveError("archive", "is too short to be a bundle")
        place, last = 0, ""
        while self._data[place : place + _BLOCK] != _END[:_BLOCK]:
            name, size = self._member(place)
            if name <= last:
                raise ArchiveError(name, f"comes after {last}; files must be sorted by name, each once")
            start, last = place + _BLOCK, name
            place = start + size + -size % _BLOCK
            if place + len(_END) > len(self._data):
                raise ArchiveError(name, "is cut off")
            if any(self._data[start + size : place]):
                raise ArchiveError(name, "is followed by bytes other than zeros")
            self._spans[name] = Span(start, start + size)
        if self._data[place:] != _END:
            raise ArchiveError("end of archive", "must be 1,024 zeros and nothing else")
        missing = REQUIRED - self._spans.keys()
        if missing:
            raise ArchiveError(min(missing), "is missing")

    def _member(self, place: int) -> tuple[str, int]:
        header = self._data[place : place + _BLOCK]
        raw_name, raw_size = header[:100].rstrip(b"\0"), header[124:135]
        name = raw_name.decode("ascii", "backslashreplace")
        if not re.fullmatch(rb"[0-7]{11}", raw_size) or header != _header(raw_name, int(raw_size, 8)):
            raise ArchiveError(name or "archive", f"the tar header at byte {place} is not in the bundle's fixed form")
        if not _KNOWN.fullmatch(name):
            raise ArchiveError(name, "is not a file of a bundle")
        return name, int(raw_size, 8)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        if path.stat().st_size < len(_END):
            raise ArchiveError(path.name, "is too short to be a bundle")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _header(name: bytes, size: int) -> bytes:
    """A ustar header: mode 0644, owner 0, time 0."""
    fields = (
        (name, 100),
        (b"0000644", 8),
        (b"0000000", 8),
        (b"0000000", 8),
        (b"%011o" % size, 12),
        (b"00000000000", 12),
        (b"        ", 8),
        (b"0", 1),
        (b"", 100),
        (b"ustar\x0000", 8),
        (b"", 64),
        (b"0000000", 8),
        (b"0000000", 8),
        (b"", 167),
    )
    blank = b"".join(value.ljust(width, b"\0") for value, width in fields)
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]
