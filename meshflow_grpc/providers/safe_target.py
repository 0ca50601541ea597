"""Addresses a server may be made to call: public ones, checked as they are connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class UnsafeTargetError(ValueError):
    """The address is not one a server may be made to call."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A URL with the address that was checked in place of the host: a second look-up could answer differently."""

    url: str
    host_header: str
    server_name: str


async def resolved(host: str, port: int) -> list[str]:
    """All addresses of a host; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(cast("str", address[0]) for *_, address in found))


async def pinned(url: str, *, trust_all: bool, resolve: Callable[[str, int], Awaitable[list[str]]]) -> Pinned:
    """Checks scheme, host and every address, unless ``trust_all`` (development). Raises UnsafeTargetError and OSError."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise UnsafeTargetError(str(error)) from error
    if parts.scheme != "https" and not (trust_all and parts.scheme == "http"):
        raise UnsafeTargetError(f"the scheme {parts.scheme!r} is not https")
    if not host or parts.username is not None:
        raise UnsafeTargetError("the URL has no host, or holds credentials")
    address = _checked(await resolve(host, port), trust_all=trust_all)
    shown = f"[{address}]" if ":" in address else address
    return Pinned(parts._replace(netloc=f"{shown}:{port}", fragment="").geturl(), parts.netloc, host)


def _checked(addresses: list[str], *, trust_all: bool) -> str:
    if not addresses:
        raise UnsafeTargetError("the host has no address")
    for address in addresses if not trust_all else ():
        if not is_public(address):
            raise UnsafeTargetError(f"the host's address {address} is not a public one")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is one of the internet at large."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast
