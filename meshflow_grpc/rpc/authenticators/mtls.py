"""Callers known by the names in their certificates: one URI, as SPIFFE has it (X.509-SVID §5), or a DNS name."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import UnauthenticatedError
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.rpc.authenticators.bearer import REFUSED
from meshflow_grpc.rpc.authenticators.forwarded_certificate import HEADER, PROOF_HEADER, forwarded_names
from meshflow_grpc.rpc.authorization import ROLES
from meshflow_grpc.rpc.call import current_call

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = frozenset({"uri", "dns"})
_FIELDS = frozenset({"id", "tenant", "roles"})
_SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True)
class Names:
    """The subject alternative names of a certificate."""

    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identities:
    """Principals by URI and by DNS name (in lower case)."""

    by_uri: Mapping[str, Principal]
    by_dns: Mapping[str, Principal]

    def of(self, names: Names) -> Principal:
        """Returns whose certificate has these names; raises UnauthenticatedError. With a URI, DNS names do not count."""
        if len(names.uris) > 1:
            raise UnauthenticatedError("the certificate has more than one URI; an identity is exactly one")
        found = (
            {principal for uri in names.uris if (principal := self.by_uri.get(uri))}
            if names.uris
            else {principal for name in names.dns if (principal := self.by_dns.get(name.lower()))}
        )
        if len(found) == 1:
            return found.pop()
        shown = ", ".join(names.uris or names.dns)[:_SHOWN_CHARS] or "no URI and no DNS name"
        raise UnauthenticatedError(f"the certificate names {shown}, which is not one identity that this server knows")


def parse_identities(text: str) -> Identities:
    """Reads ``{"identities": [{"id", "uri" or "dns", "tenant", "roles"}]}``. Raises ValueError naming what is wrong."""
    try:
        entries = json.loads(text)["identities"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError('the file of identities must be JSON like {"identities": [...]}') from error
    if not isinstance(entries, list):
        raise ValueError('the file of identities must be JSON like {"identities": [...]}')
    found: dict[str, dict[str, Principal]] = {"uri": {}, "dns": {}}
    for entry in entries:
        kind, name, principal = _identity(entry)
        if name in found[kind]:
            raise ValueError(f"the {kind} {name!r} is of two identities")
        found[kind][name] = principal
    return Identities(found["uri"], found["dns"])


def _identity(entry: Any) -> tuple[str, str, Principal]:
    kinds = set(entry) & _KINDS if isinstance(entry, dict) else set()
    if len(kinds) != 1 or set(entry) - kinds != _FIELDS:
        raise ValueError("each identity has exactly id, tenant, roles, and either uri or dns")
    (kind,) = kinds
    name, key, tenant, roles = entry[kind], entry["id"], entry["tenant"], entry["roles"]
    if not all(isinstance(text, str) and text for text in (name, key, tenant)):
        raise ValueError(f"identity {key!r}: id, tenant and {kind} must be text")
    if kind == "uri" and "://" not in name:
        raise ValueError(f"identity {key!r}: {name!r} is no URI, such as spiffe://example.org/ci")
    if not isinstance(roles, list) or not roles or not set(roles) <= set(ROLES):
        raise ValueError(f"identity {key!r}: roles must be some of {', '.join(ROLES)}")
    return kind, name if kind == "uri" else name.lower(), Principal(key, tenant, frozenset(roles), "mtls")


class MtlsAuthenticator:
    """Takes the certificate of the connection, or, with a ``proof``, the one that the Envoy which knows the proof forwards."""

    def __init__(self, identities: Identities, proof: str | None = None) -> None:
        self._identities = identities
        self._proof = proof

    def replace(self, identities: Identities) -> None:
        """Knows these from the next call on, and no others."""
        self._identities = identities

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator."""
        return self._identities.of(self._own() if self._proof is None else self._forwarded(metadata, self._proof))

    def _own(self) -> Names:
        known = current_call().connection() or {}
        uris, dns = (tuple(_text(name) for name in known.get(key, ())) for key in ("peer_uri", "peer_dns"))
        return Names(uris, dns)

    def _forwarded(self, metadata: Mapping[str, str], proof: str) -> Names:
        if not hmac.compare_digest(metadata.get(PROOF_HEADER, "").encode(), proof.encode()):
            raise UnauthenticatedError("call through the public port: only there certificates are looked at")
        try:
            names = forwarded_names(metadata.get(HEADER, ""))
        except ValueError:
            raise UnauthenticatedError(REFUSED) from None
        return Names(names.get("uri", ()), names.get("dns", ()))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
