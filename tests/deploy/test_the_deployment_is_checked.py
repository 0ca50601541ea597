"""deploy/ passes its check, and the check finds what it is there for."""

from __future__ import annotations

import copy
import os
import shutil
from typing import Any

import pytest
import yaml

from tools import check_deploy

pytestmark = pytest.mark.timeout(600)  # the first run builds the tools
BASE = check_deploy.ROOT / "deploy" / "kubernetes" / "base"


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """The production overlay, rendered."""
    _needs_go()
    return check_deploy.render(check_deploy.OVERLAYS / "prod")


def _needs_go() -> None:
    if shutil.which("go") is None:
        reason = "Go builds the tools that render deploy/; install Go to run these tests"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _deployment(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return next(o for o in copy.deepcopy(objects) if o["kind"] == "Deployment")


def _server(deployment: dict[str, Any]) -> dict[str, Any]:
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    return server


def test_what_is_committed_has_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    """`make check-deploy`."""
    _needs_go()
    assert check_deploy.main() == 0, capsys.readouterr().err


def test_replicas_on_a_sqlite_file_are_refused(objects: list[dict[str, Any]]) -> None:
    """A file has one writer, however many pods are asked for."""
    deployment = _deployment(objects)
    for variable in _server(deployment)["env"]:
        if variable["name"] == "MESHFLOW_LEDGER_DB":
            variable.pop("valueFrom")
            variable["value"] = "/data/ledger.db"
    assert any("SQLite file has one writer" in p for p in check_deploy.workload_problems([deployment]))
    deployment["spec"]["replicas"] = 1
    assert not list(check_deploy.workload_problems([deployment]))
    scaler = next(o for o in objects if o["kind"] == "HorizontalPodAutoscaler")
    assert any("SQLite" in p for p in check_deploy.workload_problems([deployment, scaler]))


def test_a_setting_the_server_does_not_know_is_found(objects: list[dict[str, Any]]) -> None:
    """It would be refused at the start of every pod."""
    deployment = _deployment(objects)
    _server(deployment)["env"].append({"name": "MESHFLOW_LEGDER_DB", "value": "x"})
    assert any("MESHFLOW_LEGDER_DB" in p for p in check_deploy.workload_problems([deployment]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"securityContext": {}}, "drop all capabilities"),
        ({"resources": {}}, "memory has a limit"),
        ({"image": "meshflow-grpc:latest"}, "pinned"),
    ],
)
def test_a_container_that_could_do_harm_is_found(
    objects: list[dict[str, Any]], change: dict[str, Any], said: str
) -> None:
    """The restricted standard, bounded memory, a pinned version."""
    deployment = _deployment(objects)
    _server(deployment).update(change)
    assert any(said in problem for problem in check_deploy.workload_problems([deployment]))


def test_a_misspelt_property_is_found(objects: list[dict[str, Any]]) -> None:
    """Kubernetes would drop it silently."""
    deployment = _deployment(objects)
    _server(deployment)["livenesProbe"] = {}
    assert any("livenesProbe" in problem for problem in check_deploy.schema_problems([deployment]))


def test_a_metric_that_does_not_exist_is_found() -> None:
    """An alert on it would never fire."""
    assert list(check_deploy.expression_problems("x", "rate(meshflow_runs_total[5m]) > 0"))
    assert list(check_deploy.expression_problems("x", "rate(meshflow_runs_ended_total[5m] > 0"))
    assert not list(check_deploy.expression_problems("x", "rate(meshflow_runs_ended_total[5m]) > 0"))


def test_probes_ask_for_names_the_server_answers() -> None:
    """A name it does not know would be NOT_FOUND for ever."""
    from meshflow_grpc.rpc.probe_server import LIVENESS_NAME
    from meshflow_grpc.rpc.server import READINESS_NAMES

    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text("utf-8"))
    server = _server(deployment)
    assert server["livenessProbe"]["grpc"]["service"] == LIVENESS_NAME
    assert server["readinessProbe"]["grpc"]["service"] in READINESS_NAMES
    assert server["startupProbe"]["grpc"]["service"] in READINESS_NAMES


def test_the_time_to_stop_covers_draining() -> None:
    """preStop, the grace for runs in flight, and some to flush."""
    pod = yaml.safe_load((BASE / "deployment.yaml").read_text("utf-8"))["spec"]["template"]["spec"]
    settings = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))["configMapGenerator"][0]["literals"]
    grace = next(int(text.partition("=")[2]) for text in settings if text.startswith("MESHFLOW_SHUTDOWN_GRACE_S="))
    (server,) = pod["containers"]
    assert pod["terminationGracePeriodSeconds"] >= server["lifecycle"]["preStop"]["sleep"]["seconds"] + grace + 10
