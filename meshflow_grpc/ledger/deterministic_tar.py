"""A tar archive whose bytes depend on its files' names and contents alone (POSIX ustar; owner, mode and times are fixed)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLOCK: Final = 512
MAX_NAME_BYTES: Final = 100


def tar_chunks(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yields an archive of files in the order of their names.

    Raises ValueError for a name that is not ASCII of at most 100 characters, or a file of 8 GiB or more.
    """
    for name in sorted(files):
        content = files[name]
        yield _header(name, len(content))
        yield content
        yield bytes(-len(content) % BLOCK)
    yield bytes(2 * BLOCK)


def _header(name: str, size: int) -> bytes:
    if not name.isascii() or not 0 < len(name) <= MAX_NAME_BYTES or size >= 8**11:
        message = f"{name!r} with {size} bytes does not fit a tar header"
        raise ValueError(message)
    head = name.encode().ljust(100, b"\0") + b"0000644\x000000000\x000000000\0" + b"%011o\0" % size + b"0" * 11 + b"\0"
    tail = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\x000000000\0" + bytes(167)
    checksum = sum(head) + 8 * ord(" ") + sum(tail)
    return head + b"%06o\0 " % checksum + tail
