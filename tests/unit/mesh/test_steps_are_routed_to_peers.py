"""Whom a step goes to: by slug, by concern and priority, of the right tenant, the well ones first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshflow_grpc.domain.mesh import Concern, MeshChangeKind, MeshNode, PeerHealth, PeerTarget
from meshflow_grpc.mesh.directory import Directory, DirectoryRules
from tests.fakes.clock import FakeClock
from tests.fakes.mesh import MeshLog, mesh_node

BUILD, REVIEW = Concern("build", 10), Concern("review")
NODES = (
    mesh_node("build.ai", BUILD),
    mesh_node("cortex.ai", Concern("build", 1), REVIEW),
    mesh_node("marco.ai", Concern("build", 5)),
)


class Mesh:
    """A directory, its clock and what it told."""

    def __init__(self, *nodes: MeshNode) -> None:
        self.clock, self.log = FakeClock(), MeshLog()
        self.directory = Directory(DirectoryRules(), self.clock, self.log.mesh_changed, self.log)
        self.directory.refresh(nodes, 0.0)

    def asked(self, tenant: str = "acme", **target: object) -> list[str]:
        """Slugs of the candidates."""
        return [node.slug for node in self.directory.candidates(tenant, PeerTarget(**target))]  # type: ignore[arg-type]

    def fail(self, slug: str, times: int = 5) -> None:
        """Calls that fail."""
        for _ in range(times):
            assert self.directory.admit(f"id-of-{slug}")
            self.directory.record(f"id-of-{slug}", ok=False, latency_ms=1.0, sent=1, received=0)


@pytest.fixture
def mesh() -> Mesh:
    """Three nodes."""
    return Mesh(*NODES)


def test_a_concern_goes_to_the_highest_priority_first(mesh: Mesh) -> None:
    """10 before 5 before 1; who does not take it is not asked."""
    assert mesh.asked(concern="build") == ["build.ai", "marco.ai", "cortex.ai"]
    assert mesh.asked(concern="review") == ["cortex.ai"]
    assert mesh.asked(concern="other") == []


def test_a_slug_goes_to_its_node_and_then_to_the_failover_list(mesh: Mesh) -> None:
    """In the order of the list, each node once; unknown names are passed over."""
    assert mesh.asked(slug="build.ai") == ["build.ai"]
    asked = mesh.asked(slug="build.ai", failover=("marco.ai", "nobody.ai", "build.ai", "cortex.ai"))
    assert asked == ["build.ai", "marco.ai", "cortex.ai"]


def test_no_target_is_nobody(mesh: Mesh) -> None:
    """Neither slug nor concern."""
    assert mesh.asked() == []


def test_an_unhealthy_peer_is_asked_after_the_others(mesh: Mesh) -> None:
    """From the third failed check on; a good one puts it back."""
    for _ in range(2):
        mesh.directory.checked("id-of-build.ai", "no answer")
    assert mesh.asked(concern="build")[0] == "build.ai"
    mesh.directory.checked("id-of-build.ai", "no answer")
    assert mesh.asked(concern="build") == ["marco.ai", "cortex.ai", "build.ai"]

    mesh.directory.checked("id-of-build.ai", None)

    assert mesh.asked(concern="build")[0] == "build.ai"
    assert mesh.log.told()[3:] == [("node_unhealthy", "build.ai"), ("node_recovered", "build.ai")]
    assert "no answer" in mesh.log.changes[3].detail


def test_a_peer_that_comes_back_elsewhere_has_recovered(mesh: Mesh) -> None:
    """Who was told that it is unhealthy is told the end of it, once: when it answers at its new address."""
    for _ in range(3):
        mesh.directory.checked("id-of-build.ai", "no answer")
    moved = replace(NODES[0], endpoints=("127.0.0.1:2",), heartbeat_at="2026-01-01T00:16:41.000Z")
    mesh.directory.refresh((moved, *NODES[1:]), 1.0)
    assert mesh.asked(concern="build")[0] == "build.ai"

    for _ in range(2):
        mesh.directory.checked("id-of-build.ai", None)

    told = [kind for kind, _ in mesh.log.told()[3:]]
    assert told == ["node_unhealthy", "node_registered", "node_recovered"]


def test_checks_must_fail_in_a_row(mesh: Mesh) -> None:
    """A good one in between starts the count again."""
    for problem in ("x", "x", None, "x", "x"):
        mesh.directory.checked("id-of-build.ai", problem)

    assert mesh.directory.views()[0].health is PeerHealth.HEALTHY


def test_a_peer_whose_breaker_is_open_comes_last_until_its_trial(mesh: Mesh) -> None:
    """Open: last, and not admitted. Half-open: in its place again, one call. Then closed."""
    mesh.fail("build.ai")
    mesh.directory.checked("id-of-cortex.ai", "x")
    for _ in range(2):
        mesh.directory.checked("id-of-cortex.ai", "x")
    assert mesh.asked(concern="build") == ["marco.ai", "cortex.ai", "build.ai"]
    assert not mesh.directory.admit("id-of-build.ai")

    mesh.clock.advance(60.0)
    assert mesh.asked(concern="build")[0] == "build.ai"
    assert [mesh.directory.admit("id-of-build.ai") for _ in range(3)] == [True, False, False]
    mesh.directory.record("id-of-build.ai", ok=True, latency_ms=1.0, sent=1, received=1)

    assert [kind for kind, slug in mesh.log.told()[3:] if slug == "build.ai"] == [
        "breaker_opened",
        "breaker_half_open",
        "breaker_closed",
    ]


def test_a_failed_trial_opens_again(mesh: Mesh) -> None:
    """For another minute."""
    mesh.fail("build.ai")
    mesh.clock.advance(60.0)
    mesh.fail("build.ai", times=1)
    mesh.clock.advance(59.0)

    assert not mesh.directory.admit("id-of-build.ai")
    told = [kind for kind, _ in mesh.log.told()[3:]]
    assert told == ["breaker_opened", "breaker_half_open", "breaker_opened"]


def test_a_released_trial_may_be_made_again(mesh: Mesh) -> None:
    """It had no result."""
    mesh.fail("build.ai")
    mesh.clock.advance(60.0)
    assert mesh.directory.admit("id-of-build.ai")
    assert not mesh.directory.admit("id-of-build.ai")

    mesh.directory.release("id-of-build.ai")

    assert mesh.directory.admit("id-of-build.ai")


def test_half_open_is_told_when_its_time_comes_though_nobody_asks() -> None:
    """By the timer that was set when it opened."""
    timers = []
    clock, log = FakeClock(), MeshLog()
    directory = Directory(DirectoryRules(), clock, log.mesh_changed, log, lambda s, f: timers.append((s, f)))
    directory.refresh(NODES[:1], 0.0)
    for _ in range(5):
        directory.admit("id-of-build.ai")
        directory.record("id-of-build.ai", ok=False, latency_ms=1.0, sent=0, received=0)
    ((seconds, function),) = timers
    clock.advance(seconds)
    function()

    assert log.told()[-1] == ("breaker_half_open", "build.ai")


def test_another_tenants_node_is_never_asked() -> None:
    """Neither by slug nor by concern nor in the failover list."""
    mesh = Mesh(mesh_node("build.ai", BUILD, tenant_id="acme"), mesh_node("marco.ai", BUILD, tenant_id="other"))

    assert mesh.asked(slug="marco.ai", failover=("build.ai",)) == ["build.ai"]
    assert mesh.asked(concern="build") == ["build.ai"]
    assert mesh.asked("third", concern="build") == []


def test_a_tenants_own_node_comes_before_the_one_of_the_same_name_that_serves_all() -> None:
    """For that tenant alone."""
    shared, own = mesh_node("build.ai", BUILD), mesh_node("build.ai", BUILD, tenant_id="acme")
    mesh = Mesh(shared, own)

    assert mesh.directory.candidates("acme", PeerTarget(slug="build.ai")) == (own,)
    assert mesh.directory.candidates("other", PeerTarget(slug="build.ai")) == (shared,)


def test_among_equals_the_idle_one_is_asked_first() -> None:
    """Calls under way count, then the name."""
    mesh = Mesh(mesh_node("a.ai", BUILD), mesh_node("b.ai", BUILD))
    assert mesh.asked(concern="build") == ["a.ai", "b.ai"]
    mesh.directory.admit("id-of-a.ai")

    assert mesh.asked(concern="build") == ["b.ai", "a.ai"]


def test_a_node_without_heartbeats_is_gone_after_its_time_and_comes_back_with_one(mesh: Mesh) -> None:
    """The times that nodes write are not compared: only whether they change."""
    mesh.directory.refresh(NODES, 30.0)
    assert len(mesh.directory.live()) == 3
    beaten = replace(NODES[1], heartbeat_at="1999-01-01T00:00:00.000Z")
    mesh.directory.refresh((NODES[0], beaten, NODES[2]), 30.1)
    assert [node.slug for node in mesh.directory.live()] == ["cortex.ai"]
    assert mesh.log.told()[3:] == [("node_expired", "build.ai"), ("node_expired", "marco.ai")]
    assert mesh.asked(slug="build.ai") == []

    again = replace(NODES[0], heartbeat_at="1999-01-01T00:00:00.000Z")
    mesh.directory.refresh((again, beaten, NODES[2]), 31.0)

    assert mesh.log.told()[5:] == [("node_registered", "build.ai")]
    assert mesh.asked(slug="build.ai") == ["build.ai"]


def test_a_node_that_was_dead_before_this_server_started_is_not_asked() -> None:
    """Its heartbeat is older than its time to live when it is first seen."""
    mesh = Mesh(mesh_node("build.ai", BUILD, heartbeat_at="2025-12-31T00:00:00.000Z"))

    assert mesh.directory.live() == ()
    assert mesh.log.told() == []
    assert not mesh.directory.views()[0].live


def test_a_node_that_left_is_forgotten(mesh: Mesh) -> None:
    """And told so."""
    mesh.directory.refresh(NODES[1:], 1.0)

    assert mesh.log.told()[3:] == [("node_left", "build.ai")]
    assert [view.node.slug for view in mesh.directory.views()] == ["cortex.ai", "marco.ai"]
    assert not mesh.directory.admit("id-of-build.ai")


def test_new_endpoints_are_told_and_start_with_unknown_health(mesh: Mesh) -> None:
    """What was known of the old ones says nothing."""
    mesh.directory.checked("id-of-build.ai", None)
    moved = replace(NODES[0], endpoints=("10.0.0.1:80",))
    mesh.directory.refresh((moved, *NODES[1:]), 1.0)

    assert mesh.directory.views()[0].health is PeerHealth.UNKNOWN
    assert (mesh.log.changes[3].kind, mesh.log.changes[3].detail) == (
        MeshChangeKind.NODE_REGISTERED,
        "at 10.0.0.1:80",
    )


def test_a_node_that_nobody_heard_of_for_a_day_may_be_removed(mesh: Mesh) -> None:
    """Not before."""
    mesh.directory.refresh(NODES, 86_400.0)
    assert mesh.directory.forgotten(86_400.0) == ()
    assert len(mesh.directory.forgotten(86_401.0)) == 3


def test_calls_are_counted_by_peer(mesh: Mesh) -> None:
    """Requests, failures, mean, quantiles and bytes; the numbers of the course."""
    for latency_ms, ok, received, sent in ((45, True, 1024, 256), (120, True, 2048, 512), (5000, False, 0, 256)):
        assert mesh.directory.admit("id-of-build.ai")
        mesh.directory.record("id-of-build.ai", ok=ok, latency_ms=latency_ms, sent=sent, received=received)
    metrics = mesh.directory.views()[0].metrics

    assert (metrics.requests, metrics.failures) == (3, 1)
    assert metrics.error_rate == pytest.approx(1 / 3)
    assert metrics.mean_ms == pytest.approx(5165 / 3)
    assert 120 <= metrics.p50_ms <= 132
    assert metrics.p99_ms == 5000
    assert (metrics.bytes_sent, metrics.bytes_received) == (1024, 3072)
    assert mesh.log.calls == [("build.ai", True), ("build.ai", True), ("build.ai", False)]


def test_what_others_saw_can_be_announced(mesh: Mesh) -> None:
    """With the node's id when the name is known, and without when it is not."""
    mesh.directory.announce(MeshChangeKind.FAILED_OVER, "build.ai", "to marco.ai")
    mesh.directory.announce(MeshChangeKind.NODE_REFUSED, "nobody.ai", "no such node")

    assert [(each.slug, each.node_id) for each in mesh.log.changes[3:]] == [
        ("build.ai", "id-of-build.ai"),
        ("nobody.ai", ""),
    ]


def test_calls_to_a_node_that_is_gone_are_forgotten(mesh: Mesh) -> None:
    """Its results arrive late."""
    mesh.directory.record("nobody", ok=True, latency_ms=1.0, sent=0, received=0)
    mesh.directory.release("nobody")
    mesh.directory.checked("nobody", None)

    assert mesh.log.calls == []
