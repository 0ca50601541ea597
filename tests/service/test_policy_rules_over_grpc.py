"""Rules of a request over a real channel: refused when wrong, explained when they stop a step."""

from __future__ import annotations

import grpc

from meshflow_grpc._gen.meshflow.v1.approval_service_pb2 import DecideApprovalRequest, ListApprovalsRequest
from meshflow_grpc._gen.meshflow.v1.ledger_service_pb2 import ListEntriesRequest
from meshflow_grpc._gen.meshflow.v1.policy_pb2 import Policy
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import WaitRunRequest
from tests.service.conftest import Service, failing


def ruled(*rules: tuple[str, str, str]) -> RunRequest:
    """A request with rules of (name, effect, expression)."""
    policy = Policy()
    for name, effect, expression in rules:
        policy.rules.add(name=name, effect=effect, expression=expression)
    return RunRequest(task="tides", policy=policy)


async def test_a_deny_stops_the_step_it_names(service: Service) -> None:
    """The answer, the pre-flight and the ledger say which stage, which rule and why; what came before stays."""
    request = ruled(("no-writer", "deny", 'agent.id == "writer"'))
    run = await service.runs.Run(request)

    assert (run.status, run.blocked_by, run.output) == ("blocked", "policy_evaluation", "researcher done")
    assert "rule 'no-writer' matched" in run.block_reason
    entries = (await service.ledger.ListEntries(ListEntriesRequest(run_id=run.run_id))).entries
    (stopped,) = [e for e in entries if e.kind == "step_denied"]
    assert "RULE_DENIED" in str(stopped)
    check = await service.runs.CheckRun(request)
    assert not check.admissible
    assert [v.field for v in check.violations] == ["policy.rules[0]"]


async def test_a_pause_holds_the_step_until_a_human_approves(service: Service) -> None:
    """The pre-flight names the node beforehand; an approval lets this very step pass, and the rule does not ask again."""
    request = ruled(("ask-writer", "pause", 'agent.id == "writer"'))
    check = await service.runs.CheckRun(request)
    assert (check.admissible, list(check.approval_nodes)) == (True, ["writer"])

    run = await service.runs.Run(request)
    assert run.status == "paused"
    (approval,) = (await service.approvals.ListApprovals(ListApprovalsRequest(run_id=run.run_id))).approvals
    assert "ask-writer" in str(approval)
    await service.approvals.DecideApproval(DecideApprovalRequest(approval_id=approval.approval_id, decision="approve"))
    ended = await service.runs.WaitRun(WaitRunRequest(run_id=run.run_id))
    assert ended.status == "completed"


async def test_rules_see_what_the_run_has_spent(service: Service) -> None:
    """The first step has spent nothing, the second sees the first."""
    run = await service.runs.Run(ruled(("cheap", "deny", "spend.steps >= 1 && spend.usd > 0.0")))

    assert (run.blocked_by, run.output) == ("policy_evaluation", "researcher done")


async def test_an_allow_spares_the_pauses_after_it_and_is_recorded(service: Service) -> None:
    """The decision names the rule."""
    run = await service.runs.Run(ruled(("ok", "allow", "risk <= internal"), ("ask", "pause", "true")))

    assert run.status == "completed"
    entries = (await service.ledger.ListEntries(ListEntriesRequest(run_id=run.run_id))).entries
    assert "rule ok" in str(entries)


async def test_a_rule_that_fails_to_evaluate_denies(service: Service) -> None:
    """Fail closed, with the reason."""
    run = await service.runs.Run(ruled(("typo", "allow", "args.amount > 5")))

    assert (run.status, run.blocked_by) == ("blocked", "policy_evaluation")
    assert "could not be evaluated" in run.block_reason


async def test_a_wrong_rule_is_an_invalid_argument_naming_it(service: Service) -> None:
    """With the place and the message of CEL; nothing starts."""
    failure = await failing(service.runs.Run(ruled(("a", "deny", "true"), ("b", "deny", "risk >"))))

    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "policy.rules[1].expression" in str(failure)
