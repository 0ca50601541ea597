"""The packaged pipeline with the offline model: its quality loop ends, its publication waits."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.approval import Decision
from meshflow_grpc.domain.run import Principal, Run, RunRequest, RunStatus
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.memory.storage import MemoryStorage
from meshflow_grpc.workflow.catalog import packaged_workflow
from meshflow_grpc.workflow.yaml_codec import dump_workflow

ANA = Principal("ana", "default")


def _runtime() -> Runtime:
    return assemble(Outside(MemoryStorage(), MockProvider()), RuntimeOptions())


async def _paused(runtime: Runtime, scores: list[float]) -> tuple[Run, Counter[str]]:
    """The run at its gate, and how often each node committed."""
    document = yaml.safe_load(dump_workflow(packaged_workflow("production_pipeline")))
    document["nodes"]["quality_gate"]["mock"] = {"scores": scores}
    request = RunRequest(task="Assess storage", workflow_yaml=yaml.safe_dump(document))
    run = await runtime.commands.run.execute(ANA, request)
    entries = await runtime.storage.entries("default", run.run_id, after_sequence=0, limit=100)
    return run, Counter(str(entry.node_id) for entry in entries if entry.kind == "step_committed")


@pytest.mark.parametrize(("scores", "drafts"), [([0.9], 1), ([0.5, 0.9], 2), ([0.5, 0.6, 0.9], 3), ([0.1], 3)])
async def test_a_failing_score_redrafts_at_most_twice(scores: list[float], drafts: int) -> None:
    """Whatever the score, after two revisions the run goes on to the publisher, which waits for a human."""
    run, commits = await _paused(_runtime(), scores)

    assert run.status is RunStatus.PAUSED
    assert run.pending_approval is not None
    assert run.pending_approval.node_id == "publisher"
    assert commits == Counter(researcher=1, analyst_a=1, analyst_b=1, writer=drafts, quality_gate=drafts)


@pytest.mark.parametrize(
    ("decision", "status", "published"),
    [(Decision.APPROVE, RunStatus.COMPLETED, True), (Decision.REJECT, RunStatus.REJECTED, False)],
)
async def test_only_an_approval_publishes(decision: Decision, status: RunStatus, *, published: bool) -> None:
    """Approved, the publisher executes once; rejected, never."""
    runtime = _runtime()
    run, _ = await _paused(runtime, [0.9])
    assert run.pending_approval is not None

    await runtime.commands.decide_approval.execute(ANA, run.pending_approval.approval_id, decision=decision)
    ended = await runtime.commands.wait_run.execute(ANA, run.run_id, timeout_s=10)

    assert ended.status is status
    assert ended.output.startswith("Published") is published
