"""Settings of the mesh: what this node is called, what it takes, and how it watches its peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from meshflow_grpc.config.admission import AdmissionSettings
from meshflow_grpc.config.problem import ConfigProblem
from meshflow_grpc.domain.mesh import endpoint_problem, parse_concerns, slug_problem

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import Concern

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - compared, not listened on


class MeshSettings(AdmissionSettings):
    """Without a slug this server is no node: it registers nowhere and watches nobody. Times are in seconds."""

    mesh_slug: str | None = Field(
        default=None, description="Name of this node in the mesh, such as `build.ai`; unset: this server is no node."
    )
    mesh_endpoint: str | None = Field(
        default=None,
        description="Where peers reach this node, `host:port`, several with commas.",
        json_schema_extra={"default": "the address of the public port"},
    )
    mesh_concerns: str | None = Field(
        default=None, description="Work this node takes, with priorities (higher first): `build:10,review:5`."
    )
    mesh_registry: str | None = Field(
        default=None,
        description="Where nodes find each other: path of a SQLite file, or a `postgresql://` URL.",
        json_schema_extra={"default": "the ledger's PostgreSQL database, else memory"},
        repr=False,
    )
    mesh_ttl_s: float = Field(
        default=30.0, ge=0.3, le=86_400, description="Seconds without a heartbeat after which a node counts as gone."
    )
    mesh_check_interval_s: float = Field(
        default=30.0, ge=0.05, le=86_400, description="Seconds between two health checks of a peer."
    )
    mesh_check_timeout_s: float = Field(
        default=5.0, ge=0.05, le=3_600, description="Seconds a peer has to answer a health check."
    )
    mesh_check_failures: int = Field(
        default=3, ge=1, le=1_000, description="Failed health checks in a row that make a peer unhealthy."
    )
    mesh_breaker_failures: int = Field(
        default=5, ge=1, le=1_000, description="Failed calls in a row that open a peer's circuit breaker."
    )
    mesh_breaker_open_s: float = Field(
        default=60.0,
        ge=0.05,
        le=86_400,
        description="Seconds a breaker stays open until one trial call is let through.",
    )

    @field_validator("mesh_slug")
    @classmethod
    def _slug(cls, value: str | None) -> str | None:
        problem = slug_problem(value) if value is not None else None
        if problem is not None:
            raise ValueError(problem)
        return value

    @field_validator("mesh_endpoint")
    @classmethod
    def _endpoints(cls, value: str | None) -> str | None:
        words = [word.strip() for word in (value or "").split(",") if word.strip()]
        problem = next((found for word in words if (found := endpoint_problem(word)) is not None), None)
        if problem is not None:
            raise ValueError(problem)
        return ",".join(words) or None

    @field_validator("mesh_concerns")
    @classmethod
    def _concerns(cls, value: str | None) -> str | None:
        parse_concerns(value or "")
        return value

    @property
    def node_endpoints(self) -> tuple[str, ...]:
        """Where peers reach this node, as set; empty for the address of the public port."""
        return tuple(self.mesh_endpoint.split(",")) if self.mesh_endpoint else ()

    @property
    def node_concerns(self) -> tuple[Concern, ...]:
        """The work this node takes."""
        return parse_concerns(self.mesh_concerns or "")

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns also what a node lacks, and settings of a node that this server is not."""
        return (*super().problems(), *self._without_a_slug())

    def endpoint_problems(self, host: str) -> tuple[ConfigProblem, ...]:
        """A node that listens on every address must say which one its peers are to use."""
        if self.mesh_slug is None or self.mesh_endpoint is not None or host not in _EVERY_ADDRESS:
            return ()
        what = f"missing, and {host} is no address that peers can reach"
        return (ConfigProblem("MESHFLOW_MESH_ENDPOINT", what, "set it to host:port as peers see this node"),)

    def _without_a_slug(self) -> tuple[ConfigProblem, ...]:
        if self.mesh_slug is not None:
            return ()
        return tuple(
            ConfigProblem(
                f"MESHFLOW_{name.upper()}", "set, and MESHFLOW_MESH_SLUG is not", "name this node, or unset it"
            )
            for name in sorted(self.model_fields_set)
            if name.startswith("mesh_")
        )
