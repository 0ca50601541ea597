"""A peer in a network namespace of its own, whose cable is pulled in the middle of an irreversible step."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import started_server
from tests.mesh.conftest import FAST, Mesh, Node, until
from tests.mesh.namespace import Namespace
from tests.mesh.test_faults_of_nodes import entries, under_way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """One with nothing in it yet."""
    if os.geteuid():
        pytest.skip("network namespaces take root; the same is tried over a wire of our own in test_faults_of_nodes.py")
    try:
        made = Namespace()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {error}")
    yield made
    made.close()


@pytest.fixture
def apart(namespace: Namespace, start_server: StartServer, tmp_path: Path) -> Iterator[Mesh]:
    """Three nodes, build.ai behind the cable: it can be reached by its own address alone, without TLS, which is allowed here."""
    common = {
        **FAST,
        "MESHFLOW_MESH_REGISTRY": str(tmp_path / "registry.db"),
        "EFFECTS_FILE": str(tmp_path / "effects"),
        "MESHFLOW_MESH_ALLOW_PLAINTEXT": "1",
    }
    within: list[MeshflowServer] = []

    def start_within(directory: Path, **environment: str) -> MeshflowServer:
        environment.pop("MESHFLOW_MESH_ENDPOINT")
        within.append(started_server(directory, ("--host", namespace.address), environment, namespace.within))
        return within[-1]

    build = Node("build.ai", tmp_path / "build", start_within, common)
    others = [Node(slug, tmp_path / slug, start_server, common) for slug in ("marco.ai", "cortex.ai")]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Node.up, (build, *others)))
        for node in (build, *others):
            node.put_workflows()
        until(lambda: {others[1].sees(slug)[0] for slug in ("build.ai", "marco.ai")} == {"healthy"})
        yield Mesh(build, *others, tmp_path / "effects")
    finally:
        for server in within:
            server.stop()
        for node in (build, *others):
            node.wire.close()


def test_an_irreversible_step_behind_a_pulled_cable_is_never_done_twice(apart: Mesh, namespace: Namespace) -> None:
    """cortex.ai hears nothing more: the run waits in doubt for a human, marco.ai is not asked; plugged in and approved, it is done."""
    with under_way(apart, "slow-pulled", "handoff-pay") as running:
        namespace.pull()
        run = running.result()

    assert run["status"] == "paused", run
    assert "IN_DOUBT" in str(entries(apart, run))
    until(lambda: apart.effects("slow-pulled") == ["begun build.ai", "done build.ai"])
    until(lambda: apart.cortex.sees("build.ai")[0] == "unhealthy")
    namespace.plug()
    # An approval lets the next node do it if build.ai still cannot be asked: its connection has to recover first.
    until(lambda: apart.cortex.run("trial", "handoff-build.ai")["status"] == "completed")
    assert apart.cortex.approved(run)["status"] == "completed"
    assert apart.effects("slow-pulled") == ["begun build.ai", "done build.ai"]
    apart.verify()
