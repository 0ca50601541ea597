"""Signed heads appended to a file, each followed by an empty line."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

TAIL_BYTES: Final = 65_536
_MODE = 0o644


class AnchorFile:
    """A HeadAnchor in a file, best on another disk, an append-only or a write-once one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, note: str) -> None:
        """See HeadAnchor."""
        await asyncio.to_thread(self._append, note)

    async def newest_notes(self) -> tuple[str, ...]:
        """See HeadAnchor."""
        return await asyncio.to_thread(self._read)

    def _append(self, note: str) -> None:
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, _MODE)
        try:
            size = os.fstat(descriptor).st_size
            whole = size == 0 or os.pread(descriptor, 2, max(0, size - 2)) == b"\n\n"
            # What a crash left half-written is closed, so that it can never run into the next note.
            data = note.encode() + b"\n" if whole else b"\n\n" + note.encode() + b"\n"
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read(self) -> tuple[str, ...]:
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                blocks = file.read().decode("utf-8", "replace").split("\n\n")
        except FileNotFoundError:
            return ()
        complete = blocks[:-1]
        return tuple(f"{text}\n\n{signed}\n" for text, signed in pairwise(complete) if signed.startswith("— "))[::-1]
