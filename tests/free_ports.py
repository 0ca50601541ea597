"""Ports for servers that must be told theirs: below those the kernel gives to outgoing connections, which could take one meanwhile."""

from __future__ import annotations

import itertools
import os
import socket

LOWEST, HIGHEST = 20_000, 32_000
# Two test sessions on one machine begin at different places.
_next = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """One that nobody listens on, and that this process has not given out before."""
    for number in _next:
        port = LOWEST + number % (HIGHEST - LOWEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("a count does not end")
