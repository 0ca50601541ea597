"""The probe server: on a thread of its own, so that it tells of an event loop that is stuck instead of being stuck with it."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import (
    GetHealthRequest,
    GetLivenessRequest,
    GetReadinessRequest,
)
from meshflow_grpc._gen.meshflow.v1.system_service_pb2_grpc import SystemServiceStub
from meshflow_grpc.engine.server_state import LOOP_STALL_S, ServerState
from meshflow_grpc.rpc.probe_server import LIVENESS_NAME, ProbeServer
from meshflow_grpc.rpc.server import READINESS_NAMES
from tests.fakes.clock import FakeClock


class Probes:
    """A probe server, its clock and state, and a blocking channel; no event loop anywhere."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.state = ServerState("1.2.3", self.clock)
        self.server = ProbeServer(self.state, READINESS_NAMES)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.start('127.0.0.1:0')}")
        self.system = SystemServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def status(self, name: str) -> int:
        """What grpc.health.v1 says of a name."""
        return int(self.health.Check(health_pb2.HealthCheckRequest(service=name)).status)


@pytest.fixture
def probes() -> Iterator[Probes]:
    """Started, and stopped in the end."""
    started = Probes()
    yield started
    started.channel.close()
    started.server.stop()


def reason(error: grpc.RpcError) -> str:
    """The ErrorInfo's reason."""
    info = ErrorInfo()
    rpc_status.from_call(error).details[0].Unpack(info)
    return str(info.reason)


def test_health_is_told_without_an_event_loop(probes: Probes) -> None:
    """Version and uptime from memory."""
    probes.clock.advance(5)
    health = probes.system.GetHealth(GetHealthRequest())

    assert (health.ok, health.version, health.uptime_s) == (True, "1.2.3", 5.0)


def test_a_stuck_event_loop_is_not_alive(probes: Probes) -> None:
    """Both faces say so, and take it back when it turns again."""
    assert probes.system.GetLiveness(GetLivenessRequest()).status == "alive"
    probes.clock.advance(LOOP_STALL_S)
    with pytest.raises(grpc.RpcError) as refused:
        probes.system.GetLiveness(GetLivenessRequest())
    assert (refused.value.code(), reason(refused.value)) == (grpc.StatusCode.UNAVAILABLE, "NOT_READY")
    assert probes.status(LIVENESS_NAME) == health_pb2.HealthCheckResponse.NOT_SERVING
    probes.state.beat()
    assert probes.status(LIVENESS_NAME) == health_pb2.HealthCheckResponse.SERVING


def test_readiness_follows_the_state(probes: Probes) -> None:
    """Starting, draining, without its ledger, ready."""
    reasons = []
    for ready, draining in ((False, False), (False, True)):
        probes.state.started, probes.state.draining = ready, draining
        with pytest.raises(grpc.RpcError) as refused:
            probes.system.GetReadiness(GetReadinessRequest())
        reasons.append(reason(refused.value))
    probes.state.started, probes.state.draining, probes.state.ledger_reachable = True, False, False
    with pytest.raises(grpc.RpcError, match="the ledger cannot be reached"):
        probes.system.GetReadiness(GetReadinessRequest())
    probes.state.ledger_reachable = True
    assert reasons == ["NOT_READY", "DRAINING"]
    assert {probes.status(name) for name in READINESS_NAMES} == {health_pb2.HealthCheckResponse.NOT_SERVING}
    probes.state.started, probes.state.draining = True, False
    probes.server.set_serving(serving=True)
    assert probes.system.GetReadiness(GetReadinessRequest()).status == "ready"
    assert {probes.status(name) for name in READINESS_NAMES} == {health_pb2.HealthCheckResponse.SERVING}
