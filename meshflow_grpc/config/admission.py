"""How much one tenant may take of a server."""

from __future__ import annotations

from pydantic import Field

from meshflow_grpc.config.compliance import ComplianceSettings


class AdmissionSettings(ComplianceSettings):
    """Bounds per tenant, beside those of the whole server."""

    tenant_max_in_flight_runs: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Runs at once of one tenant; unset: no bound of its own."
    )
    tenant_runs_per_s: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="Runs a second that one tenant may start, with bursts of as many (at least one); unset: any.",
    )
