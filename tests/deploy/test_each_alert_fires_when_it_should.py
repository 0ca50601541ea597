"""Alert rules, run by Prometheus' own rule tester over series that ought to fire them and series that ought not to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tools import check_deploy

if TYPE_CHECKING:
    from pathlib import Path

RULES = yaml.safe_load((check_deploy.MONITORING / "prometheus-rule.yaml").read_text("utf-8"))["spec"]
SCRAPED_EVERY_S = 15


@dataclass(frozen=True)
class Case:
    """One alert over an hour: what is scraped every 15 s, in promtool's notation, and the minutes at which it fires or does not."""

    alert: str
    series: dict[str, str]
    fires_at: tuple[int, ...] = ()
    silent_at: tuple[int, ...] = ()


VERIFIED = 'meshflow_ledger_verifications_total{result="%s"}'
APPENDS = 'meshflow_ledger_append_seconds_bucket{le="%s"}'
ENDED = 'meshflow_runs_ended_total{status="%s"}'
RPCS = 'meshflow_rpcs_total{code="%s"}'
REFUSED = 'meshflow_step_refusals_total{stage="input_guardrails",reason="%s"}'
CERTIFICATE = "meshflow_certificate_end_seconds"
HEALTHY = 'meshflow_mesh_node_healthy{instance="%s",peer="build.ai"}'
LIVE = 'meshflow_mesh_node_live{instance="%s",peer="build.ai"}'
BREAKER = 'meshflow_mesh_breaker_state{peer="build.ai"}'
CHANGES = 'meshflow_mesh_changes_total{kind="%s"}'
ITERATED = 'meshflow_ledger_entries_total{kind="loop_iterated"}'
STARTED = 'meshflow_runs_started_total{workflow="default"}'
HEALTHY = 'meshflow_mesh_node_healthy{peer="build.ai",instance="%s"}'
LIVE = 'meshflow_mesh_node_live{peer="build.ai",instance="%s"}'
BREAKER = 'meshflow_mesh_breaker_state{peer="build.ai",instance="%s"}'
CHANGED = 'meshflow_mesh_changes_total{kind="%s"}'

CASES = (
    Case("MeshflowLedgerTampered", {VERIFIED % "tampered": "0x40 1x200"}, fires_at=(11, 14), silent_at=(9, 20)),
    Case("MeshflowLedgerTampered", {VERIFIED % "intact": "0+9x240"}, silent_at=(5, 30)),
    Case(
        "MeshflowLedgerAppendsFail",
        {"meshflow_ledger_append_failures_total": "0x40 3x200"},
        fires_at=(11,),
        silent_at=(9, 15),
    ),
    Case(
        "MeshflowHeadsNotPublished",
        {"meshflow_log_publication_failures_total": "0x40 1+1x40 41x160"},
        fires_at=(15, 20),
        silent_at=(9, 11, 30),
    ),
    Case(
        "MeshflowLedgerSlow",
        {APPENDS % "0.5": "0+90x240", APPENDS % "2.5": "0+100x240", APPENDS % "+Inf": "0+100x240"},
        fires_at=(10, 50),
        silent_at=(3,),
    ),
    Case("MeshflowLedgerSlow", {APPENDS % "0.01": "0+100x240", APPENDS % "+Inf": "0+100x240"}, silent_at=(10, 50)),
    Case(
        "MeshflowManyRunsBlocked",
        {ENDED % "blocked": "0+3x240", ENDED % "completed": "0+7x240"},
        fires_at=(30,),
        silent_at=(8,),
    ),
    Case("MeshflowManyRunsBlocked", {ENDED % "blocked": "0+1x240", ENDED % "completed": "0+9x240"}, silent_at=(30,)),
    Case("MeshflowManyRunsBlocked", {ENDED % "blocked": "0x240", ENDED % "completed": "0x240"}, silent_at=(30,)),
    Case("MeshflowStagesFailClosed", {REFUSED % "STAGE_FAILED": "0x40 1x200"}, fires_at=(11,), silent_at=(9, 20)),
    Case("MeshflowStagesFailClosed", {REFUSED % "INJECTION": "0+9x240"}, silent_at=(11, 20)),
    Case("MeshflowEmergencyAccess", {"meshflow_emergency_accesses_total": "0x40 1x200"}, (11, 18), (9, 25)),
    Case("MeshflowCostHigh", {"meshflow_cost_usd_total": "0+0.25x240"}, fires_at=(40,), silent_at=(10,)),
    Case("MeshflowCostHigh", {"meshflow_cost_usd_total": "0+0.2x240"}, silent_at=(40,)),
    Case("MeshflowLoopsMany", {ITERATED: "0+40x240", STARTED: "0+10x240"}, fires_at=(30,), silent_at=(8,)),
    Case("MeshflowLoopsMany", {ITERATED: "0+30x240", STARTED: "0+10x240"}, silent_at=(30,)),
    Case("MeshflowNotReady", {"meshflow_ready": "1x40 0x40 1x160"}, fires_at=(13, 19), silent_at=(9, 11, 30)),
    Case(
        "MeshflowNoneReady",
        {'meshflow_ready{pod="a"}': "1x40 0x60 1x140", 'meshflow_ready{pod="b"}': "1x60 _x180"},
        fires_at=(22,),
        silent_at=(14, 16, 30),
    ),
    Case("MeshflowCallsFail", {RPCS % "OK": "0+97x240", RPCS % "UNAVAILABLE": "0+3x240"}, (10,), (3,)),
    Case("MeshflowCallsFail", {RPCS % "OK": "0+99x240", RPCS % "INTERNAL": "0+1x240"}, silent_at=(10, 30)),
    Case(
        "MeshflowPeerUnhealthy",
        {HEALTHY % "a": "1x40 0x80 1x120", LIVE % "a": "1x240", HEALTHY % "b": "1x60 0x60 1x120", LIVE % "b": "1x240"},
        fires_at=(17, 25),
        silent_at=(9, 13, 40),
    ),
    Case("MeshflowPeerUnhealthy", {HEALTHY % "a": "1x240", LIVE % "a": "1x40 0x200"}, (12,), (9,)),
    Case("MeshflowBreakerOpen", {BREAKER % "a": "0x40 2x200", BREAKER % "b": "0x240"}, (20,), (9, 14)),
    Case("MeshflowBreakerOpen", {BREAKER % "a": "0x40 2x8 1 0x191"}, silent_at=(12, 20)),
    Case("MeshflowNodesRefused", {CHANGED % "node_refused": "0x40 1x200"}, fires_at=(12,), silent_at=(9, 25)),
    Case("MeshflowNodesRefused", {CHANGED % "node_unhealthy": "0+1x240"}, silent_at=(12, 30)),
    Case("MeshflowCertificateEnds", {CERTIFICATE: "1200000x120 9000000x120"}, fires_at=(12, 29), silent_at=(5, 35)),
    Case("MeshflowPeerUnhealthy", {HEALTHY % "a": "1x40 0x40 1x160", LIVE % "a": "1x240"}, (12, 19), (9, 10, 30)),
    Case(
        "MeshflowPeerUnhealthy",
        {HEALTHY % "a": "0x240", LIVE % "a": "1x240", HEALTHY % "b": "1x240", LIVE % "b": "1x240"},
        silent_at=(30,),
    ),
    Case("MeshflowBreakerOpen", {BREAKER: "0x40 2x80 1x4 0x120"}, fires_at=(16, 29), silent_at=(9, 12, 32)),
    Case("MeshflowNodesRefused", {CHANGES % "node_refused": "0x40 1x200"}, fires_at=(11, 18), silent_at=(9, 25)),
    Case("MeshflowNodesRefused", {CHANGES % "node_registered": "0+1x240"}, silent_at=(11,)),
    Case("MeshflowCallsFail", {RPCS % "OK": "0+9x240", RPCS % "INVALID_ARGUMENT": "0+9x240"}, silent_at=(10, 30)),
)


def _needs_promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        reason = "the rules are run by promtool; install prometheus to run these tests"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _as_promtool(case: Case) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}}) or vector(0)'
    moments = [(minute, 1) for minute in case.fires_at] + [(minute, 0) for minute in case.silent_at]
    return {
        "name": case.alert,
        "interval": f"{SCRAPED_EVERY_S}s",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
            for minute, value in moments
        ],
    }


def test_rules_fire_and_stay_silent_as_they_should(tmp_path: Path) -> None:
    """Each case at its minutes, by `promtool test rules`."""
    promtool = _needs_promtool()
    (tmp_path / "rules.yaml").write_text(json.dumps(RULES))
    file = {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": [_as_promtool(case) for case in CASES]}
    (tmp_path / "tests.yaml").write_text(json.dumps(file))
    done = subprocess.run(
        [promtool, "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_firing_and_seen_silent() -> None:
    """A rule without a case that fires it may never fire at all."""
    alerts = {rule["alert"] for group in RULES["groups"] for rule in group["rules"]}
    assert {case.alert for case in CASES if case.fires_at} == alerts
    assert {case.alert for case in CASES if case.silent_at} == alerts
