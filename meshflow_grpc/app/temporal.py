"""Temporal as the engine of a server, where the settings name it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.config.problem import ConfigProblem, ConfigurationError
from meshflow_grpc.ports.dispatch import DispatchUnavailableError

if TYPE_CHECKING:
    from temporalio.client import Client

    from meshflow_grpc.app.assembly import Runtime
    from meshflow_grpc.config import Settings
    from meshflow_grpc.ports.dispatch import RunDispatch
    from meshflow_grpc.temporal.connection import TemporalAddress
    from meshflow_grpc.temporal.worker import RunWorker


@dataclass(frozen=True, slots=True)
class TemporalSeat:
    """This server's connection to Temporal: what its engine tells, and the worker that does what it is told."""

    client: Client
    dispatch: RunDispatch
    task_queue: str
    creator: str
    most: int

    def worker(self, runtime: Runtime) -> RunWorker:
        """A worker of a runtime that was put together with ``dispatch``."""
        from meshflow_grpc.temporal.worker import RunActivities, RunWorker

        assert runtime.driver is not None  # noqa: S101 - it has a dispatch
        activities = RunActivities(runtime.driver, runtime.commands.cancel_run)
        return RunWorker(self.client, self.task_queue, self.creator, activities, self.most)


async def open_temporal(settings: Settings) -> TemporalSeat | None:
    """Connects; None for the local engine. Raises ConfigurationError when Temporal cannot be used."""
    if settings.engine == "local":
        return None
    client = await connected(settings)
    from meshflow_grpc.temporal.dispatch import TemporalDispatch

    queue = settings.temporal_task_queue
    creator = f"{queue}/{os.urandom(8).hex()}"
    dispatch = TemporalDispatch(client, queue, creator, settings.lease_s)
    return TemporalSeat(client, dispatch, queue, creator, settings.max_in_flight_runs)


async def connected(settings: Settings) -> Client:
    """A connection that was tried. Raises ConfigurationError."""
    try:
        from meshflow_grpc.temporal.connection import connect
    except ModuleNotFoundError as error:
        what = "temporal, and the extra of that name is not installed"
        raise ConfigurationError(
            (ConfigProblem("MESHFLOW_ENGINE", what, "install meshflow-grpc[temporal]"),)
        ) from error
    try:
        return await connect(address_of(settings))
    except DispatchUnavailableError as error:
        fix = "start it, or correct MESHFLOW_TEMPORAL_ADDRESS and MESHFLOW_TEMPORAL_NAMESPACE"
        raise ConfigurationError((ConfigProblem("MESHFLOW_ENGINE", str(error), fix),)) from error


def address_of(settings: Settings) -> TemporalAddress:
    """Where the settings say Temporal is."""
    from meshflow_grpc.temporal.connection import TemporalAddress

    key = settings.temporal_api_key
    return TemporalAddress(
        settings.temporal_address,
        settings.temporal_namespace,
        settings.temporal_task_queue,
        settings.temporal_tls,
        key.get_secret_value() if key else None,
    )
