"""Settings of several server processes on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from meshflow_grpc.config.mesh_security import MeshSecuritySettings
from meshflow_grpc.config.problem import ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_WORKERS = 64
_LAST_PORT = 65_535


class WorkerSettings(MeshSecuritySettings):
    """Workers: whole servers, side by side on one public port."""

    workers: int = Field(
        default=1,
        ge=1,
        le=MOST_WORKERS,
        description="Server processes behind the public port; more than one on PostgreSQL alone, see operations.md.",
    )

    drain: Literal["finish", "hand_over"] = Field(
        default="finish",
        description="After SIGTERM runs `finish` here within the grace, or `hand_over` at once to other servers on PostgreSQL.",
    )

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns also what several workers cannot share."""
        found = list(super().problems())
        shared = self.ledger_db.startswith(("postgres://", "postgresql://"))
        if self.drain == "hand_over" and not shared:
            what = "hand_over, and no other server can go on with the runs of a SQLite file"
            found.append(ConfigProblem("MESHFLOW_DRAIN", what, "set it to finish"))
        if self.workers > 1 and not shared:
            what = f"{self.workers}, and the ledger is a SQLite file, which one process alone may write"
            found.append(
                ConfigProblem("MESHFLOW_WORKERS", what, "set it to 1, or MESHFLOW_LEDGER_DB to postgresql://…")
            )
        if self.workers > 1 and self.mesh_slug is not None:
            what = f"{self.workers}, and a node of the mesh is one server process"
            found.append(ConfigProblem("MESHFLOW_WORKERS", what, "set it to 1, or unset MESHFLOW_MESH_SLUG"))
        if self.metrics_port and self.metrics_port + self.workers - 1 > _LAST_PORT:
            what = f"each worker takes a port from {self.metrics_port} on, and there are not {self.workers}"
            found.append(ConfigProblem("MESHFLOW_METRICS_PORT", what, "lower it, or set it to 0"))
        return tuple(found)


def unused_port(workers: int, given: Collection[str], *, use_envoy: bool) -> tuple[ConfigProblem, ...]:
    """Behind their Envoy workers listen on Unix sockets, so that a port of theirs would mean nothing."""
    if workers == 1 or not use_envoy or "grpc_port" not in given:
        return ()
    what = "several workers behind Envoy have Unix sockets, not ports"
    return (ConfigProblem("MESHFLOW_GRPC_PORT", what, "unset it, or set MESHFLOW_USE_ENVOY=0"),)
