"""The policy of the production pipeline lesson, read from the lesson itself where it lies beside the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import meshflow_grpc
from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.governance.effective_policy import policy_json
from tests.service.conftest import Service
from tests.service.test_policies_of_the_documents import PIPELINE, over_rest
from tests.unit.engine.gated import PUBLISH

LESSON = Path(__file__).resolve().parents[3] / "shared" / "seeds" / "001-production-pipeline-capstone.txt"
POLICY = re.compile(r"^5\. The Full Governance Stack\n+policy = (Policy\(\n.*?^\))", re.MULTILINE | re.DOTALL)


@pytest.fixture
def lesson() -> Policy:
    """What the lesson's own code makes."""
    if not LESSON.is_file():
        pytest.skip("the lesson is not beside the repository")
    found = POLICY.search(LESSON.read_text(encoding="utf-8"))
    assert found is not None
    names = ("Policy", "PolicyMode", "RiskTier", "CircuitBreakerConfig", "HumanInLoopConfig")
    policy = eval(found.group(1), {name: getattr(meshflow_grpc, name) for name in names})
    assert isinstance(policy, Policy)
    return policy


def test_the_policy_of_the_tests_is_that_of_the_lesson(lesson: Policy) -> None:
    """Field by field."""
    document = policy_json(lesson)
    for name, value in PIPELINE.items():
        expected = value.lower() if isinstance(value, str) else value
        shown = document[name]
        if isinstance(expected, dict) and isinstance(shown, dict):
            expected = {k: v.lower() if isinstance(v, str) else v for k, v in expected.items()}
            shown = {k: shown[k] for k in expected}
        assert shown == expected, name


async def test_it_runs_verbatim_and_holds_the_publisher_for_a_person(service: Service, lesson: Policy) -> None:
    """Every field is enforced; nothing is refused, nothing left out."""
    document = {name: policy_json(lesson)[name] for name in PIPELINE}
    run = await over_rest(service, document, workflow_yaml=PUBLISH)

    assert (run.status, run.pending_approval.node_id) == ("paused", "publisher")
    assert run.effective_policy.enable_cross_run_learning
