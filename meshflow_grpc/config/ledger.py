"""Settings of the ledger; all that offline commands need."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from meshflow_grpc.config.problem import ConfigProblem
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys

PREFIX = "MESHFLOW_"


class LedgerSettings(BaseSettings):
    """Where the ledger is; all that offline commands need."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        str_strip_whitespace=True,
        # Settings are built in a line of mixins, of which only the last is ever made.
        defer_build=True,
    )

    data_dir: Path = Field(default=Path(), description="Directory of the files the server keeps.")
    ledger_db: str = Field(
        default_factory=lambda data: str(data.get("data_dir", Path()) / "meshflow_runs.db"),
        description="Ledger: path of a SQLite file, or a `postgresql://` URL.",
        json_schema_extra={"default": "`meshflow_runs.db` in the data directory"},
        repr=False,
    )

    pg_pool_min: int = Field(default=2, ge=1, le=1000, description="Least connections that read from PostgreSQL.")
    pg_pool_max: int = Field(default=10, ge=1, le=1000, description="Most connections that read from PostgreSQL.")
    pg_statement_cache: int = Field(
        default=100, ge=0, description="Prepared statements a PostgreSQL connection keeps; `0` behind a pooler."
    )

    retention_days: int | None = Field(
        default=None,
        ge=183,
        le=36_525,
        description="Days a run is kept after its end, for `meshflow ledger gc`; unset: for ever.",
    )

    payload_key: SecretStr | None = Field(
        default=None,
        description="Keys that encrypt payloads at rest, 32 random bytes in base64 each: the first for new runs, all to read. Secret.",
    )

    @field_validator("payload_key")
    @classmethod
    def _payload_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            PayloadKeys.parse(value.get_secret_value())
        return value

    @property
    def payload_keys(self) -> PayloadKeys:
        """The keys that encrypt payloads at rest."""
        return NO_KEYS if self.payload_key is None else PayloadKeys.parse(self.payload_key.get_secret_value())

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns what is wrong with the values taken together."""
        if self.pg_pool_min <= self.pg_pool_max:
            return ()
        return (ConfigProblem("MESHFLOW_PG_POOL_MIN", "more than MESHFLOW_PG_POOL_MAX", "lower it or raise the other"),)
