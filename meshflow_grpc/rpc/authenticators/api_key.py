"""API keys: ``mf_<id>_<secret>``, kept as SHA-256, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import UnauthenticatedError
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.rpc.authenticators.bearer import REFUSED, bearer_token
from meshflow_grpc.rpc.authorization import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "mf"
_FIELDS = frozenset({"id", "sha256", "tenant", "roles"})
_MADE_BY = "append what `meshflow key new` prints on stdout"
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as the file keeps it; ``sha256`` is of the whole key, in hexadecimal."""

    id: str
    sha256: str
    principal: Principal


def new_api_key(
    key_id: str, tenant: str, roles: tuple[str, ...], random_hex: Callable[[int], str]
) -> tuple[str, dict[str, Any]]:
    """Returns a key, to be shown once, and its entry for the file. Raises ValueError for a bad id or role."""
    if not key_id.isalnum():
        raise ValueError(f"the id {key_id!r} must be letters and digits")
    key = f"{PREFIX}_{key_id}_{random_hex(32)}"
    entry = {"id": key_id, "sha256": _digest(key), "tenant": tenant, "roles": list(roles)}
    _key_of(entry)
    return key, entry


def parse_api_keys(text: str) -> dict[str, ApiKey]:
    """Reads the file: entries ``{"id", "sha256", "tenant", "roles"}``, one after the other or in ``{"keys": [...]}``.

    Raises ValueError naming what is wrong; never a hash.
    """
    if not text.strip():
        raise ValueError(f"the API key file is empty; {_MADE_BY}")
    keys = [_key_of(entry) for entry in _entries(text)]
    if len({key.id for key in keys}) != len(keys):
        raise ValueError("the API key file holds an id twice")
    return {key.id: key for key in keys}


def _entries(text: str) -> list[Any]:
    decoder, rest, found = json.JSONDecoder(), text.strip(), list[Any]()
    while rest:
        try:
            document, end = decoder.raw_decode(rest)
        except ValueError as error:
            raise ValueError(f"the API key file is not JSON; {_MADE_BY}") from error
        rest = rest[end:].lstrip()
        entries = document.get("keys", [document]) if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise ValueError('the API key file must be JSON like {"keys": [...]}')
        found += entries
    return found


def _key_of(entry: Any) -> ApiKey:
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise ValueError(f"each API key has exactly {', '.join(sorted(_FIELDS))}")
    key_id, roles = entry["id"], entry["roles"]
    if not isinstance(entry["sha256"], str) or len(entry["sha256"]) != 64 or not entry["tenant"]:
        raise ValueError(f"API key {key_id!r}: sha256 must be 64 hexadecimal digits, and tenant not empty")
    if not isinstance(roles, list) or not roles or not set(roles) <= set(ROLES):
        raise ValueError(f"API key {key_id!r}: roles must be some of {', '.join(ROLES)}")
    return ApiKey(key_id, entry["sha256"].lower(), Principal(key_id, entry["tenant"], frozenset(roles), "api_key"))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyAuthenticator:
    """Knows the keys of the file it was given."""

    def __init__(self, keys: Mapping[str, ApiKey]) -> None:
        self._keys = dict(keys)

    def replace(self, keys: Mapping[str, ApiKey]) -> None:
        """Knows these from the next call on, and no others."""
        self._keys = dict(keys)

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator. An unknown id costs as much as a wrong secret."""
        token = bearer_token(metadata)
        parts = token.split("_", 2)
        key = self._keys.get(parts[1]) if len(parts) == 3 and parts[0] == PREFIX else None
        matches = hmac.compare_digest(_digest(token), key.sha256 if key else _NOBODY)
        if key is None or not matches:
            raise UnauthenticatedError(REFUSED)
        return key.principal
