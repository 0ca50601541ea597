"""What can happen to a node while another one's run depends on it: the run goes on elsewhere, and no effect happens twice."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.mesh.conftest import until
from tests.mesh.failing_peer import FailingPeer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.mesh.conftest import Mesh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@contextmanager
def under_way(mesh: Mesh, task: str, workflow: str) -> Iterator[Future[dict[str, Any]]]:
    """A run of cortex.ai whose step has begun at build.ai."""
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(mesh.cortex.run, task, workflow)
        until(lambda: mesh.effects(task) == ["begun build.ai"] or run.done())
        assert mesh.effects(task) == ["begun build.ai"], run.done() and entries(mesh, run.result())
        yield run


def entries(mesh: Mesh, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a run of cortex.ai."""
    found: list[dict[str, Any]] = mesh.cortex.server.get(f"/v1/runs/{run['run_id']}/entries").json()["entries"]
    return found


def test_a_step_is_carried_out_by_its_peer_and_proven(mesh: Mesh, tmp_path: Path) -> None:
    """Once, at build.ai; metrics and status agree; the evidence of cortex.ai's run proves build.ai's too, offline."""
    before = mesh.cortex.nodes()["build.ai"]["metrics"]["requests"]
    run = mesh.cortex.run("well", "handoff-note")

    assert (run["status"], mesh.effects("well")) == ("completed", ["begun build.ai", "done build.ai"]), run
    view = mesh.cortex.nodes()["build.ai"]["metrics"]
    # More than one where the machine is so slow that the first goes without an answer; the step was carried out once.
    made = [
        mesh.cortex.metric("meshflow_mesh_requests_total", peer="build.ai", outcome=each) for each in ("ok", "failed")
    ]
    assert made[0] >= 1
    assert view["requests"] == sum(made) > before
    command = [sys.executable, "-m", "meshflow_grpc", "mesh", "status", "-o", "json"]
    address = mesh.cortex.server.url.removeprefix("http://")
    shown = subprocess.run([*command, "--address", address], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    in_terminal = {each["slug"]: each["metrics"]["requests"] for each in json.loads(shown.stdout)}
    assert in_terminal["build.ai"] == view["requests"]
    bundle = tmp_path / "bundle.tar"
    bundle.write_bytes(
        mesh.cortex.server.get(f"/v1/runs/{run['run_id']}:export", params={"format": "evidence"}).content
    )
    trusted = tmp_path / "trusted.txt"
    trusted.write_text("".join(f"{node.vkey()}\n" for node in mesh.nodes))
    command = [sys.executable, "-m", "meshflow_grpc", "audit", "verify", str(bundle), "--trust", str(trusted)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_killed_node_is_replaced_noticed_and_taken_back(mesh: Mesh) -> None:
    """kill -9 in the middle of its step: marco.ai finishes the run; the health checks see the death, and the return."""
    before = mesh.cortex.changes("build.ai")
    with under_way(mesh, "slow-killed", "handoff-note") as running:
        mesh.build.server.kill()
        run = running.result()

    assert run["status"] == "completed", run
    assert mesh.effects("slow-killed") == ["begun build.ai", "begun marco.ai", "done marco.ai"]
    until(lambda: mesh.cortex.sees("build.ai")[0] == "unhealthy")
    assert mesh.cortex.metric("meshflow_mesh_node_healthy", peer="build.ai") == 0
    assert mesh.cortex.run("without", "handoff-note")["status"] == "completed"
    assert mesh.effects("without") == ["begun marco.ai", "done marco.ai"]
    mesh.settle()
    until(lambda: "node_recovered" in mesh.cortex.changes("build.ai")[len(before) :])
    since = [
        each for each in mesh.cortex.changes("build.ai")[len(before) :] if each in {"node_unhealthy", "node_recovered"}
    ]
    assert since == ["node_unhealthy", "node_recovered"]
    assert mesh.cortex.run("again", "handoff-note")["status"] == "completed"
    assert mesh.effects("again") == ["begun build.ai", "done build.ai"]


def test_an_effect_that_may_have_happened_is_never_repeated(mesh: Mesh) -> None:
    """kill -9 in the middle of an irreversible step: nobody does it again, and the run says that it is in doubt."""
    with under_way(mesh, "slow-paid", "handoff-pay") as running:
        mesh.build.server.kill()
        run = running.result()

    assert run["status"] in {"failed", "paused", "blocked"}, run
    assert "doubt" in str(entries(mesh, run)).lower()
    assert mesh.effects("slow-paid") == ["begun build.ai"]
    mesh.settle()
    assert mesh.effects("slow-paid") == ["begun build.ai"]


def test_an_effect_of_a_frozen_node_is_waited_for_by_a_human(mesh: Mesh) -> None:
    """SIGSTOP in the middle of an irreversible step: nobody else does it; thawed, build.ai finishes what it had begun."""
    with under_way(mesh, "slow-held", "handoff-pay") as running:
        mesh.build.freeze()
        run = running.result()

    assert run["status"] in {"failed", "paused", "blocked"}, run
    assert mesh.effects("slow-held") == ["begun build.ai"]
    mesh.settle()
    until(lambda: mesh.effects("slow-held") == ["begun build.ai", "done build.ai"])


def test_an_irreversible_step_goes_elsewhere_while_nothing_can_have_happened(mesh: Mesh) -> None:
    """build.ai is dead before it is asked: marco.ai does it, once."""
    mesh.build.server.kill()
    run = mesh.cortex.run("paid-elsewhere", "handoff-pay")

    assert run["status"] == "completed", run
    assert mesh.effects("paid-elsewhere") == ["begun marco.ai", "done marco.ai"]


def test_a_frozen_node_is_replaced(mesh: Mesh) -> None:
    """SIGSTOP in the middle of its step; thawed, it takes back nothing."""
    with under_way(mesh, "slow-frozen", "handoff-note") as running:
        mesh.build.freeze()
        run = running.result()

    assert run["status"] == "completed", run
    assert mesh.effects("slow-frozen") == ["begun build.ai", "begun marco.ai", "done marco.ai"]
    until(lambda: mesh.cortex.sees("build.ai")[0] == "unhealthy")
    mesh.settle()
    assert mesh.cortex.run("thawed", "handoff-note")["status"] == "completed"
    assert mesh.effects("thawed") == ["begun build.ai", "done build.ai"]


def test_a_partitioned_node_is_replaced(mesh: Mesh) -> None:
    """Its packets are dropped in the middle of its step, and nothing is closed."""
    with under_way(mesh, "slow-parted", "handoff-note") as running:
        mesh.build.wire.partition()
        run = running.result()

    assert run["status"] == "completed", run
    assert [each for each in mesh.effects("slow-parted") if "marco" in each] == ["begun marco.ai", "done marco.ai"]
    until(lambda: mesh.cortex.sees("build.ai")[0] == "unhealthy")
    mesh.settle()


def test_an_effect_behind_a_partition_is_decided_by_a_human(mesh: Mesh) -> None:
    """Silence in the middle of an irreversible step: it is in doubt, nobody else does it, and approved it turns out to be done."""
    with under_way(mesh, "slow-cut", "handoff-pay") as running:
        mesh.build.wire.partition()
        run = running.result()

    assert run["status"] == "paused", run
    assert "IN_DOUBT" in str(entries(mesh, run))
    until(lambda: mesh.effects("slow-cut") == ["begun build.ai", "done build.ai"])
    mesh.settle()
    until(lambda: mesh.cortex.run("trial", "handoff-build.ai")["status"] == "completed")
    assert mesh.cortex.approved(run)["status"] == "completed"
    assert mesh.effects("slow-cut") == ["begun build.ai", "done build.ai"]


def test_a_slow_node_is_waited_for(mesh: Mesh) -> None:
    """Slowness is no failure: one execution, where it was begun, and it shows in the metrics."""
    mesh.build.wire.slow(0.15)
    run = mesh.cortex.run("patience", "handoff-note")

    assert (run["status"], mesh.effects("patience")) == ("completed", ["begun build.ai", "done build.ai"]), run
    assert mesh.cortex.nodes()["build.ai"]["metrics"]["p99_ms"] >= 300


def test_a_node_that_answers_errors_is_left_alone_and_tried_again(mesh: Mesh) -> None:
    """It says it is well and fails every call: the breaker opens after three, lets one trial through, and closes when it succeeds."""
    already = len(mesh.cortex.changes("build.ai"))

    def since() -> list[str]:
        return [each for each in mesh.cortex.changes("build.ai")[already:] if each.startswith("breaker")]

    with closing(FailingPeer()) as failing:
        port, mesh.build.wire.upstream = mesh.build.wire.upstream, failing.port
        mesh.build.wire.reset()
        for number in range(3):
            assert mesh.cortex.run(f"errors-{number}", "handoff-note")["status"] == "completed"
            assert mesh.effects(f"errors-{number}") == ["begun marco.ai", "done marco.ai"]
        assert mesh.cortex.sees("build.ai") == ("healthy", "open")
        asked = len(failing.asked)
        assert mesh.cortex.run("open", "handoff-note")["status"] == "completed"
        assert len(failing.asked) == asked
        until(lambda: mesh.cortex.sees("build.ai")[1] == "half_open")
        assert mesh.cortex.run("trial", "handoff-note")["status"] == "completed"
        assert len(failing.asked) > asked
        until(lambda: since() == ["breaker_opened", "breaker_half_open", "breaker_opened"])
    mesh.build.wire.upstream = port
    mesh.build.wire.reset()
    until(lambda: mesh.cortex.sees("build.ai") == ("healthy", "half_open"))
    assert mesh.cortex.run("back", "handoff-note")["status"] == "completed"
    assert mesh.effects("back") == ["begun build.ai", "done build.ai"]
    opened, half_open, closed = "breaker_opened", "breaker_half_open", "breaker_closed"
    until(lambda: since() == [opened, half_open, opened, half_open, closed])
    assert mesh.cortex.metric("meshflow_mesh_breaker_state", peer="build.ai") == 0


def test_a_caller_that_is_killed_takes_up_the_same_run_at_the_peer(mesh: Mesh) -> None:
    """cortex.ai dies while build.ai works for it: started again, it asks build.ai for the run it had asked for."""
    body = {"task": "slow-caller", "workflow": "handoff-pay", "request_id": "slow-caller"}
    run_id = mesh.cortex.server.post("/v1/runs", body).json()["run_id"]
    until(lambda: mesh.effects("slow-caller"))
    mesh.cortex.server.kill()
    mesh.cortex.revive()

    run = mesh.cortex.server.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": 60}).json()
    assert run["status"] == "completed", run
    assert mesh.effects("slow-caller") == ["begun build.ai", "done build.ai"]
