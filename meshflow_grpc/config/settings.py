"""Configuration: from the environment alone, checked at start-up, every problem reported at once."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator

from meshflow_grpc.config.display import shown, without_password
from meshflow_grpc.config.ledger import PREFIX, LedgerSettings
from meshflow_grpc.config.listening import Host, host_problems
from meshflow_grpc.config.problem import ConfigProblem, ConfigurationError
from meshflow_grpc.config.production import unsafe
from meshflow_grpc.config.temporal import TemporalSettings
from meshflow_grpc.config.web import origin_problems
from meshflow_grpc.config.workers import unused_port
from meshflow_grpc.domain.address import is_loopback
from meshflow_grpc.domain.policy import COMPLIANCE_PROFILES

CLIENT_VARIABLES = (
    "MESHFLOW_ADDRESS",
    "MESHFLOW_TOKEN",
    "MESHFLOW_TOKEN_FILE",
    "MESHFLOW_TLS_CA",
    "MESHFLOW_TLS_CERT",
    "MESHFLOW_TLS_KEY",
)
SIDECAR_GRPC_PORT = 50051
S = TypeVar("S", bound="LedgerSettings")
_SECRETS = {
    "ANTHROPIC_API_KEY": "anthropic_api_key",
    "MESHFLOW_PAYLOAD_KEY": "payload_key",
    "MESHFLOW_SIGNING_KEY": "signing_key",
    "MESHFLOW_PREVIOUS_SIGNING_KEY": "previous_signing_key",
    "MESHFLOW_WEBHOOK_SECRET": "webhook_secret",
    "MESHFLOW_MESH_KEY": "mesh_key",
    "MESHFLOW_TEMPORAL_API_KEY": "temporal_api_key",
}


class Settings(TemporalSettings):
    """Everything `meshflow serve` can be told. Ports of 0 mean a free port; times are in seconds."""

    env: Literal["development", "production"] = Field(
        default="development", description="`development`, or `production`: refuses to start on anything unsafe."
    )
    host: Host = Field(default="127.0.0.1", min_length=1, description="Address the public port listens on.")
    port: int = Field(default=8765, ge=0, le=65535, description="Public port: REST, SSE, gRPC and gRPC-Web.")
    use_envoy: bool = Field(default=True, description="Starts Envoy in front; `0` serves gRPC alone (sidecar layout).")
    grpc_port: int = Field(
        default_factory=lambda data: 0 if data.get("use_envoy", True) else SIDECAR_GRPC_PORT,
        ge=0,
        le=65535,
        description="Port of the gRPC server: internal behind Envoy, public without it.",
        json_schema_extra={"default": "a free port; `50051` without Envoy"},
    )
    envoy: Path | None = Field(default=None, description="Path of Envoy; unset: the one of the `envoy` extra.")
    app: str | None = Field(default=None, description="Tools and functions of an application: `pkg.module:registry`.")
    mock: bool = Field(default=False, description="`1` answers from the offline model instead of a paid one.")
    mock_latency_ms: float = Field(
        default=0.0, ge=0, le=600_000, description="Milliseconds each answer of the offline model takes."
    )
    anthropic_api_key: SecretStr | None = Field(
        default=None, validation_alias="ANTHROPIC_API_KEY", description="Key of the model provider. Secret."
    )
    anthropic_base_url: str | None = Field(default=None, repr=False, description="Base URL of the provider's API.")
    model: str | None = Field(default=None, description="Model for agents that name none.")
    model_prices: str | None = Field(
        default=None, description="Prices of models that the price data lacks; a JSON object, see providers.md."
    )
    signing_key: SecretStr | None = Field(
        default=None, description="Ed25519 key that signs the log's heads; `meshflow ledger keygen` makes one. Secret."
    )
    previous_signing_key: SecretStr | None = Field(
        default=None, description="While keys are rotated: the old key, which signs too, or only its vkey. Secret."
    )
    log_origin: str | None = Field(
        default=None,
        pattern=r"^[^\s+\x00-\x1f]+$",
        description="Name of the log in its heads; unset: the name of the signing key.",
    )
    anchor_file: Path | None = Field(
        default=None, description="File that every signed head is appended to, best on another disk."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, min_length=16, description="Key that signs webhooks (HMAC-SHA256). Secret."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Lowest level logged.")
    log_format: Literal["json", "console"] = Field(
        default_factory=lambda data: "json" if data.get("env") == "production" else "console",
        description="Format of the log on stderr: `json` or `console`.",
        json_schema_extra={"default": "`console`; `json` in production"},
    )
    lease_s: float = Field(
        default=10.0, ge=1, le=600, description="Seconds after which another server takes up the runs of a silent one."
    )
    max_in_flight_runs: int = Field(default=1024, ge=1, le=1_000_000, description="Runs at once; more are refused.")
    step_rate_per_s: float = Field(
        default=5000.0,
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="Steps a second that one agent of one tenant may take, with bursts of as many (at least one).",
    )
    revoked_agents: str | None = Field(
        default=None, description="Agents that take no step any more: node ids or definition digests, comma-separated."
    )
    max_request_bytes: int = Field(default=2**22, ge=2**10, le=2**26, description="Largest request, in bytes.")
    shutdown_grace_s: float = Field(
        default=30.0, ge=0, le=3600, description="Seconds for runs to finish after SIGTERM."
    )
    allow_inline_workflows: bool = Field(
        default_factory=lambda data: data.get("env", "development") == "development",
        description="Whether a request may bring its own workflow definition.",
        json_schema_extra={"default": "`1`; `0` in production"},
    )
    zt_tier: Literal["foundation", "enterprise", "advanced"] | None = Field(
        default=None,
        description="Floor of every run's policy: `foundation`, `enterprise` or `advanced`; see policy.md.",
    )
    zt_regulation: str | None = Field(
        default=None, description="Profiles every run is held to: `hipaa`, `sox`, `gdpr`, or several with commas."
    )

    @field_validator("env", "log_level", "log_format", "zt_tier", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("envoy")
    @classmethod
    def _executable(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and os.access(value, os.X_OK)):
            raise ValueError(f"no executable file at {value}")
        return value

    @field_validator("anthropic_base_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).netloc):
            raise ValueError("not an http:// or https:// URL")
        return value

    @field_validator("zt_regulation")
    @classmethod
    def _profiles(cls, value: str | None) -> str | None:
        words = [word.strip().lower() for word in (value or "").split(",") if word.strip()]
        unknown = [word for word in words if word not in COMPLIANCE_PROFILES]
        if unknown or (value is not None and not words):
            raise ValueError(f"must be one or several of {', '.join(COMPLIANCE_PROFILES)}")
        return ",".join(sorted(set(words))) or None

    @property
    def regulations(self) -> tuple[str, ...]:
        """The profiles every run is held to."""
        return tuple(self.zt_regulation.split(",")) if self.zt_regulation else ()

    @property
    def revoked(self) -> frozenset[str]:
        """The revoked agents' ids and digests."""
        return frozenset(name.strip() for name in (self.revoked_agents or "").split(",") if name.strip())

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the public port."""
        return is_loopback(self.host)

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns what is wrong with the values taken together: no provider, or production without protection."""
        found = [*super().problems(), *origin_problems(self.origins, use_envoy=self.use_envoy)]
        found += unused_port(self.workers, self.model_fields_set, use_envoy=self.use_envoy)
        found += (*host_problems(self.host, use_envoy=self.use_envoy), *self.endpoint_problems(self.host))
        if not self.mock and self.anthropic_api_key is None:
            found.append(
                ConfigProblem(
                    "ANTHROPIC_API_KEY", "no model provider is configured", "set MESHFLOW_MOCK=1 or ANTHROPIC_API_KEY"
                )
            )
        if self.env == "production":
            found += unsafe(signed=self.signing_key is not None, authenticated=self.auth != "none")
        return tuple(found)

    def warnings(self) -> tuple[str, ...]:
        """Returns what is allowed but deserves to be seen at start-up."""
        known = (*self.tls_warnings(), *self.mesh_warnings(self.host))
        if self.loopback or self.auth != "none":
            return known
        return (
            f"listening on {self.host} without authentication: everyone who reaches this port can start and read runs",
            *known,
        )

    def redacted(self) -> dict[str, str | int | float | bool | None]:
        """Returns every variable with its value; of a secret only whether it is set."""
        return {variable_of(name): shown(getattr(self, name)) for name in type(self).model_fields}

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Reads and checks the environment; ``overrides`` that are not None win. Raises ConfigurationError."""
        return _read(cls, overrides)


def load_ledger_settings(**overrides: object) -> LedgerSettings:
    """Reads where the ledger is; needs no provider. Raises ConfigurationError with every problem."""
    return _read(LedgerSettings, overrides)


def variable_of(name: str) -> str:
    """Returns the environment variable of a setting."""
    field = Settings.model_fields.get(name)
    alias = field.validation_alias if field is not None else None
    return alias if isinstance(alias, str) else PREFIX + name.upper()


def source_of(variable: str) -> str:
    """Says where a variable's value comes from: environment, file or default."""
    if os.environ.get(variable):
        return "environment"
    return "file" if os.environ.get(f"{variable}_FILE") else "default"


def known_variables() -> tuple[str, ...]:
    """Returns every variable that is read, sorted."""
    server = [variable_of(name) for name in Settings.model_fields]
    return tuple(sorted({*server, *(f"{secret}_FILE" for secret in _SECRETS), *CLIENT_VARIABLES}))


def _read(kind: type[S], overrides: dict[str, object]) -> S:
    secrets, problems = _secret_files(kind)
    problems = _unknown_variables() + problems
    values: dict[str, Any] = secrets | {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = kind(**values)
    except ValidationError as error:
        details = [dict(detail) for detail in error.errors() if detail["type"] != "default_factory_not_called"]
        problems += tuple(map(_problem_of, details))
        # Defaults in place of the bad values, so that what is wrong between the others is reported too.
        settings = kind(**values | {name: _default(name) for detail in details if (name := _name_of(detail))})
    problems += settings.problems()
    if problems:
        raise ConfigurationError(problems)
    return settings


def _name_of(detail: dict[str, Any]) -> str:
    return _SECRETS.get(str(detail["loc"][0]), str(detail["loc"][0]))


def _default(name: str) -> object:
    return Settings.model_fields[name].get_default(call_default_factory=True, validated_data={})


def _problem_of(detail: dict[str, Any]) -> ConfigProblem:
    variable = variable_of(_name_of(detail))
    what = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "too_short":  # of a secret, which pydantic takes for a collection
        what = f"must have at least {detail['ctx']['min_length']} characters"
    was = "" if variable in _SECRETS else f" (it is {without_password(str(detail['input']))!r})"
    return ConfigProblem(variable, what[:1].lower() + what[1:] + was, f"correct or unset {variable}")


def _unknown_variables() -> tuple[ConfigProblem, ...]:
    known = known_variables()
    return tuple(_unknown(name, known) for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known)


def _unknown(name: str, known: tuple[str, ...]) -> ConfigProblem:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return ConfigProblem(
        name, "no such setting", f"did you mean {nearest[0]}?" if nearest else "unset it, see docs/configuration.md"
    )


def _secret_files(kind: type[LedgerSettings]) -> tuple[dict[str, str], tuple[ConfigProblem, ...]]:
    """Reads secrets named by ``<VARIABLE>_FILE``; the file's surrounding white space is not part of the secret."""
    values: dict[str, str] = {}
    problems: list[ConfigProblem] = []
    for variable, name in _SECRETS.items():
        path = os.environ.get(f"{variable}_FILE")
        if not path or name not in kind.model_fields:
            continue
        if os.environ.get(variable):
            problems.append(ConfigProblem(f"{variable}_FILE", f"{variable} is set too", "set only one of them"))
            continue
        try:
            values[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            problems.append(ConfigProblem(f"{variable}_FILE", f"cannot read {path}: {reason}", "name a readable file"))
    return values, tuple(problems)
