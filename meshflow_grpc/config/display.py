"""How settings are shown: secrets and passwords never are."""

from __future__ import annotations

import ipaddress

from pydantic import SecretStr


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def shown(value: object) -> str | int | float | bool | None:
    """Returns a setting as it may be printed: of a secret only whether it is set."""
    if isinstance(value, SecretStr):
        return "(set, not shown)"
    if isinstance(value, str):
        return without_password(value)
    return value if isinstance(value, bool | int | float) or value is None else str(value)


def without_password(text: str) -> str:
    """Returns a URL without its password, and any other text as it is."""
    scheme, separator, rest = text.partition("://")
    credentials, at, host = rest.rpartition("@")
    if not separator or not at:
        return text
    return f"{scheme}://{credentials.partition(':')[0]}:***@{host}"


def bare_url(ledger: str) -> str:
    """Returns a ledger's address without user and password."""
    return ledger.rsplit("@", maxsplit=1)[-1] if "://" in ledger else ledger
