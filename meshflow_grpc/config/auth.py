"""Settings of authentication."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from meshflow_grpc.config.problem import ConfigProblem
from meshflow_grpc.config.tls import TlsSettings
from meshflow_grpc.domain.address import is_loopback


class AuthSettings(TlsSettings):
    """How callers prove who they are."""

    auth: Literal["none", "api_key", "jwt", "mtls"] = Field(
        default="none", description="How callers prove who they are: `none`, `api_key`, `jwt` or `mtls`."
    )
    api_keys_file: Path | None = Field(default=None, description="File of hashed API keys, for `api_key`; see auth.md.")
    jwt_jwks_file: Path | None = Field(default=None, description="JSON Web Key Set that signs tokens, for `jwt`.")
    jwt_jwks_url: str | None = Field(
        default=None, description="The same at a URL, followed as its issuer rotates keys; instead of the file."
    )
    jwt_jwks_refresh_s: float = Field(
        default=300.0, ge=1, le=86_400, description="Seconds between two looks at that URL."
    )
    jwt_audience: str | None = Field(default=None, description="Audience a token must name, for `jwt`.")
    jwt_issuer: str | None = Field(default=None, description="Issuer a token must name, for `jwt`.")
    jwt_tenant_claim: str = Field(
        default="tenant",
        min_length=1,
        description="Claim that says a token's tenant; one inside others by its path, `a.b`.",
    )
    jwt_roles_claim: str = Field(
        default="roles", min_length=1, description="Claim that lists a token's roles, such as `realm_access.roles`."
    )
    mtls_identities_file: Path | None = Field(
        default=None, description="Who the names in client certificates are, for `mtls`; see auth.md."
    )

    @field_validator("api_keys_file", "jwt_jwks_file", "mtls_identities_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no file at {value}")
        return value

    @field_validator("jwt_jwks_url")
    @classmethod
    def _fetched_safely(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.username is not None or parts.password is not None:
            raise ValueError("a key set is public: the URL holds no credentials")
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if not safe or not parts.hostname:
            raise ValueError("must be an https:// URL; http:// only on this machine")
        return value

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns also what the chosen way of authentication lacks."""
        needs: dict[str, dict[str, object]] = {
            "none": {},
            "api_key": {"MESHFLOW_API_KEYS_FILE": self.api_keys_file},
            "jwt": {
                "MESHFLOW_JWT_JWKS_FILE": self.jwt_jwks_file or self.jwt_jwks_url,
                "MESHFLOW_JWT_AUDIENCE": self.jwt_audience,
                "MESHFLOW_JWT_ISSUER": self.jwt_issuer,
            },
            "mtls": {
                "MESHFLOW_MTLS_IDENTITIES_FILE": self.mtls_identities_file,
                "MESHFLOW_TLS_CLIENT_CA_FILE": self.tls_client_ca_file,
            },
        }
        twice = self.jwt_jwks_file is not None and self.jwt_jwks_url is not None
        missing = (
            ConfigProblem(name, f"missing, and MESHFLOW_AUTH is {self.auth}", "set it; docs/auth.md says how")
            for name, value in needs[self.auth].items()
            if value is None
        )
        what, fix = "MESHFLOW_JWT_JWKS_FILE is set too", "set only one of them"
        both = (ConfigProblem("MESHFLOW_JWT_JWKS_URL", what, fix),) if twice else ()
        return (*super().problems(), *missing, *both)
