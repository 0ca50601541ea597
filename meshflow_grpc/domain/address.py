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


def is_address(host: str) -> bool:
    """Whether it is an IP address, rather than a name or nothing."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def bare_address(host: str) -> str:
    """A host as a server listens on it: without brackets, ``localhost`` as the address it stands for."""
    bare = host.strip().removeprefix("[").removesuffix("]")
    return "127.0.0.1" if bare.lower() == "localhost" else bare


def endpoint(host: str, port: int) -> str:
    """``host:port``, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def leaves_this_machine(endpoint: str) -> bool:
    """Whether others can see what is sent to a ``host:port``."""
    return not is_loopback(endpoint.rpartition(":")[0])
