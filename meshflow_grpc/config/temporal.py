"""Settings of the engine that has runs go on after a crash, a drain or a gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from meshflow_grpc.config.problem import ConfigProblem
from meshflow_grpc.config.workers import WorkerSettings

_ONLY = ("temporal_address", "temporal_namespace", "temporal_task_queue", "temporal_tls", "temporal_api_key")


class TemporalSettings(WorkerSettings):
    """``local``: the servers on the ledger do it among themselves, by leases. ``temporal``: Temporal does."""

    engine: Literal["local", "temporal"] = Field(
        default="local",
        description="Who has runs go on elsewhere: the servers themselves (`local`), or `temporal`, see operations.md.",
    )
    temporal_address: str = Field(
        default="127.0.0.1:7233", min_length=1, description="Where Temporal's frontend is, `host:port`."
    )
    temporal_namespace: str = Field(default="default", min_length=1, description="Namespace in Temporal.")
    temporal_task_queue: str = Field(
        default="meshflow", min_length=1, max_length=200, description="Queue that the servers on this ledger share."
    )
    temporal_tls: bool = Field(default=False, description="`1` speaks TLS with Temporal and trusts the system's roots.")
    temporal_api_key: SecretStr | None = Field(default=None, description="API key for Temporal. Secret.")

    @field_validator("engine", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("temporal_address")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or "/" in value or not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65_535:
            raise ValueError("must be host:port")
        return value

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns also what is set for Temporal and would not be used, and a key that everybody could read."""
        found = list(super().problems())
        if self.engine == "local":
            given = [f"MESHFLOW_{name.upper()}" for name in _ONLY if name in self.model_fields_set]
            found += [
                ConfigProblem(name, "is set, and the engine is local", "unset it, or set MESHFLOW_ENGINE=temporal")
                for name in given
            ]
        elif self.temporal_api_key is not None and not self.temporal_tls:
            what = "would be sent in the clear"
            found.append(ConfigProblem("MESHFLOW_TEMPORAL_API_KEY", what, "set MESHFLOW_TEMPORAL_TLS=1"))
        return tuple(found)
