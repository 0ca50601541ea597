"""How settings are shown: secrets and passwords never are."""

from __future__ import annotations

import re2
from pydantic import SecretStr

_SECRET = re2.compile(r"(?i)passw|secret|token|key")


def shown(value: object) -> str | int | float | bool | None:
    """Returns a setting as it may be printed: of a secret only whether it is set."""
    if isinstance(value, SecretStr):
        return "(set, not shown)"
    if isinstance(value, str):
        return without_password(value)
    return value if isinstance(value, bool | int | float) or value is None else str(value)


def without_password(text: str) -> str:
    """Returns a URL without its password, also one in its query, and any other text as it is."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    credentials, at, host = rest.rpartition("@")
    user = f"{credentials.partition(':')[0]}:***@" if at else ""
    return f"{scheme}://{user}{_without_secrets(host)}"


def bare_url(ledger: str) -> str:
    """Returns a ledger's address without user and password."""
    return _without_secrets(ledger.rsplit("@", maxsplit=1)[-1]) if "://" in ledger else ledger


def _without_secrets(text: str) -> str:
    """The part of a URL behind its credentials; libpq takes passwords in the query too."""
    path, mark, query = text.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    return (
        path
        + mark
        + "&".join(f"{name}=***" if _SECRET.search(name) else f"{name}{is_}{value}" for name, is_, value in pairs)
    )
