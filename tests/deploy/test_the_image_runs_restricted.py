"""The Dockerfile's stages built in roots of their own, and the result run as Kubernetes would: unprivileged, on a read-only root."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.deploy import image_root
from tests.deploy.dockerfile import stages
from tests.deploy.image_root import Container, Image

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first run makes the base
CALL = """
import sys, urllib.request as u
body = [text.encode() for text in sys.argv[2:]]
print(u.urlopen(u.Request(sys.argv[1], *body, headers={"content-type": "application/json"})).read().decode())
"""
URL = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The server, from the image's own entry point and command."""
    if missing := image_root.missing():
        reason = f"building the image's root needs {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("image")
    built: dict[str, Image] = {}
    for stage in stages():
        built[stage.name] = image_root.build(stage, place / (stage.name or "final"), built)
    last = stages()[-1]
    command = [*json.loads(last.said["ENTRYPOINT"]), *json.loads(last.said["CMD"])]
    log = place / "log"
    container = Container(built[""], last, command, log, MESHFLOW_MOCK="1", MESHFLOW_MOCK_LATENCY_MS="700")
    deadline = time.monotonic() + 60
    try:
        while container.run("python", "-c", CALL, f"{URL}/readyz").returncode != 0:
            assert time.monotonic() < deadline, log.read_text()
        yield container
    finally:
        container.kill()
        shutil.rmtree(place)


def test_process_1_is_the_server_without_any_privilege(container: Container) -> None:
    """The user is the image's number, no capability is left, and none can be had again."""
    status = container.status()
    assert status["NSpid"].split()[-1] == "1"
    assert status["Name"] == "meshflow"
    assert set(status["Uid"].split()) == {"10001"} == set(status["Gid"].split())
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_nothing_but_data_and_tmp_is_written(container: Container) -> None:
    """The root is read-only; the ledger is in the volume; a run works."""
    refused = container.run("touch", "/opt/meshflow/x")
    assert "Read-only file system" in refused.stderr
    ran = container.run("python", "-c", CALL, f"{URL}/run", '{"task": "x"}')
    assert json.loads(ran.stdout)["status"] == "completed", ran.stderr
    assert "ledger.db" in container.run("ls", "/data").stdout.split()


def test_the_images_health_check_passes(container: Container) -> None:
    """The very command of the instruction."""
    words = stages()[-1].said["HEALTHCHECK"]
    check = container.run(*json.loads(words[words.index("CMD ") + 4 :]))
    assert check.returncode == 0, check.stderr


def test_the_product_comes_from_the_image(container: Container) -> None:
    """Not from sources that happen to lie about."""
    asked = container.run("python", "-c", "import meshflow_grpc; print(meshflow_grpc.__file__)")
    assert asked.stdout.startswith("/opt/meshflow/lib/"), asked.stderr


def test_sigterm_to_process_1_drains(container: Container) -> None:
    """The kernel spares process 1 signals it does not handle: it does handle this one, finishes the run in flight, and ends with 0."""
    made = container.run("python", "-c", CALL, f"{URL}/v1/runs", '{"task": "in flight"}')
    assert json.loads(made.stdout)["status"] == "running"
    assert container.terminate() == 0
