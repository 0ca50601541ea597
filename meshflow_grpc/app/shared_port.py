"""A port that several workers listen on (SO_REUSEPORT): the kernel spreads connections over them."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def shared_port(host: str, port: int) -> Iterator[int]:
    """Holds a port for this process's workers and gives its number (port 0: a free one); takes no connection itself.

    Raises OSError when somebody else listens there, who could share it unnoticed.
    """
    family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    try:
        number = _free(family, kind, address)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    with socket.socket(family, kind) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((address[0], number, *address[2:]))
        yield number


def _free(family: int, kind: int, address: tuple[Any, ...]) -> int:
    """The number of a port that nobody listens on."""
    with socket.socket(family, kind) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
        return int(alone.getsockname()[1])
