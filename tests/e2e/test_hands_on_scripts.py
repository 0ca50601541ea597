"""The scripts of the lessons run as the lessons say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_http_runtime_shows_six_demos() -> None:
    """With whatever python3 there is: it finds the project's own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MESHFLOW_", "ANTHROPIC_", "VIRTUAL_ENV"))}
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    if not (ROOT / ".venv" / "bin" / "python").exists():
        python = sys.executable
    command = [python, "hands_on/20_http_runtime.py"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=280, env={**environment, "MESHFLOW_MOCK": "1"}
    )

    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("Demo ")] == [
        f"Demo {n}" for n in range(1, 7)
    ]
    assert '"ok": true' in done.stdout or "ok: true" in done.stdout
    assert "blocked_by" in done.stdout
    assert done.stdout.count("valid=True") == 9


def _pipeline(directory: Path, *arguments: str, script: Path | None = None) -> str:
    """What the capstone prints, with a ledger of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESHFLOW_", "ANTHROPIC_"))}
    environment = {**kept, "MESHFLOW_MOCK": "1", "MESHFLOW_LEDGER_DB": str(directory / "production.db")}
    command = [sys.executable, str(script or "hands_on/16_production_pipeline.py"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_pipeline_maps_every_node_of_a_run(tmp_path: Path) -> None:
    """Two analysts side by side, the writer after both, one revision, an approved publication, a valid chain."""
    lines = _pipeline(tmp_path).splitlines()

    visits = [line.split() for line in lines if line[:2].strip().isdigit() and len(line.split()) >= 8]
    assert [visit[1] for visit in visits] == [
        *("researcher", "analyst_a", "analyst_b", "writer", "quality_gate", "writer", "quality_gate", "publisher")
    ]
    assert [visit[1] for visit in visits if visit[-1] != "-"] == ["analyst_a", "analyst_b"]
    began, ended = {v[1]: int(v[3]) for v in reversed(visits)}, {v[1]: int(v[5]) for v in reversed(visits)}
    assert began["writer"] >= max(ended["analyst_a"], ended["analyst_b"])
    assert "nodes executed: 8; quality loop: 1 revisions" in lines
    assert "chain valid: True" in lines
    assert any(": completed" in line for line in lines)


@pytest.mark.slow
def test_the_pipeline_streams_every_kind_of_event(tmp_path: Path) -> None:
    """One JSON line per event, the gate's among them, and the published text in the last."""
    events = [json.loads(line) for line in _pipeline(tmp_path, "--stream").splitlines()]

    names = [event["event_type"] for event in events]
    assert names[0] == "run_started"
    assert set(names) == {
        *("run_started", "node_started", "agent_completed", "loop_iteration"),
        *("gate_paused", "gate_resumed", "run_completed"),
    }
    assert names.index("gate_paused") < names.index("gate_resumed")
    assert names[-1] == "run_completed"
    assert events[-1]["output"].startswith("Published")
    durable = [event["sequence"] for event in events if "sequence" in event]
    assert durable == sorted(set(durable))


@pytest.mark.slow
def test_reject_mode_halts_before_any_node_until_the_configuration_is_fixed(tmp_path: Path) -> None:
    """A publisher without a role violates a rule; with the role the reviewer rejects at the gate and nothing is published."""
    refused = _pipeline(tmp_path, "--reject")
    assert "REJECTED before any node executed" in refused
    assert "rule 'every-agent-has-a-role' denies node 'publisher'" in refused
    assert "Every node that executed" not in refused

    source = (ROOT / "hands_on" / "16_production_pipeline.py").read_text(encoding="utf-8")
    source = source.replace('PUBLISHER_ROLE_IN_REJECT_MODE = ""', 'PUBLISHER_ROLE_IN_REJECT_MODE = "ORCHESTRATOR"')
    source = source.replace("Path(__file__).resolve().parent.parent", f"Path({str(ROOT)!r})")
    fixed = tmp_path / "fixed.py"
    fixed.write_text(source, encoding="utf-8")
    rejected = _pipeline(tmp_path, "--reject", script=fixed)

    assert "admissible" in rejected
    assert ": rejected" in rejected
    assert "Published" not in rejected
    assert "nodes executed: 7" in rejected
