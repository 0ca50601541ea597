"""The policies of the documents, word by word, on the real server through gRPC and REST; and three levels on one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.client import Client, to_json
from tests.service.test_policies_of_the_documents import ANALYSIS, EXERCISE, PIPELINE, TASK

if TYPE_CHECKING:
    from tests.e2e.conftest import MeshflowServer

# A writer in doubt, and a publisher whose action reaches outside.
PUBLISH = """
name: publish
entry: writer
nodes:
  writer: {role: EXECUTOR, mock: {confidence: 0.4}}
  publisher: {role: ORCHESTRATOR, risk: external_io, mock: {confidence: 0.9}}
edges: [writer -> publisher]
"""
LEVELS: dict[str, tuple[str, str, str]] = {
    "dev": ("completed", "", ""),
    "regulated": ("paused", "pending_approval", "external_io step"),
    "legal-critical": ("blocked", "block_reason", "confidence of 0.4"),
}


def over_grpc(server: MeshflowServer, **request: Any) -> dict[str, Any]:
    """Run, through Envoy's gRPC."""
    with Client(server.url) as client:
        return to_json(client.run(**request))


def over_rest(server: MeshflowServer, **request: Any) -> dict[str, Any]:
    """POST /run."""
    answer = server.post("/run", request)
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


FACES = pytest.mark.parametrize("face", [over_grpc, over_rest])


@FACES
@pytest.mark.parametrize("policy", [ANALYSIS, EXERCISE, PIPELINE], ids=["analysis", "exercise", "pipeline"])
def test_the_policies_of_the_documents_are_taken_verbatim(
    server: MeshflowServer, face: Any, policy: dict[str, Any]
) -> None:
    """Each completes on the default workflow, and the answer shows the policy it was held to."""
    run = face(server, task=TASK, policy=policy)

    assert run["status"] == "completed"
    for name, value in policy.items():
        shown = run["effective_policy"][name]
        if not isinstance(value, dict):
            assert shown == (value.lower() if isinstance(value, str) else value), name


@FACES
@pytest.mark.parametrize("profile", ["sox", "hipaa", "gdpr"])
def test_each_call_brings_its_own_budget_and_profile(server: MeshflowServer, face: Any, profile: str) -> None:
    """The batch of the document; gdpr asks for a purpose."""
    policy = {"budget_usd": 0.5, "compliance": profile, "enable_guardian": True}
    run = face(server, task=TASK, policy=policy, labels={"purpose": "quarterly report"})

    assert (run["status"], run["effective_policy"]["compliance"]) == ("completed", profile)


@FACES
def test_three_levels_give_three_explained_results(server: MeshflowServer, face: Any) -> None:
    """Done, held for a person, stopped: each says why, and each under another policy digest."""
    digests = set()
    for mode, (status, told_in, why) in LEVELS.items():
        run = face(server, task=TASK, policy={"mode": mode}, workflow_yaml=PUBLISH)
        told = run.get(told_in, "") if told_in else ""
        assert run["status"] == status, mode
        assert why in (told["reason"] if isinstance(told, dict) else told), mode
        digests.add(run["policy_digest"])
    assert len(digests) == len(LEVELS)
