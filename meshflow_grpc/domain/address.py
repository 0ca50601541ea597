"""Which addresses only this machine reaches."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def leaves_this_machine(endpoint: str) -> bool:
    """Whether others can see what is sent to a ``host:port``."""
    return not is_loopback(endpoint.rpartition(":")[0])
