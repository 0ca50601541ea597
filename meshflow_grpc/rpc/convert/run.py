"""Runs, pages and checks as protobuf messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meshflow_grpc._gen.meshflow.v1 import run_pb2, run_service_pb2
from meshflow_grpc.domain.usage import grams, usd
from meshflow_grpc.rpc.convert.policy import PolicyMessages, policy_to_proto
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.check import RunCheck, RunExpectation
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ledger.run_diff import RunDiff
    from meshflow_grpc.ports.storage import RunPage

MAX_INT32 = 2**31 - 1


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RunMessages:
    """Encodes runs. ``now`` gives the wall clock, for the duration of runs that go on."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._policies = PolicyMessages()

    def run(self, run: Run) -> run_pb2.RunResponse:
        """A run as clients see it; money in dollars, carbon in grams, time in milliseconds."""
        message = run_pb2.RunResponse(
            run_id=run.run_id,
            status=run.status.value,
            output=run.output,
            total_cost_usd=usd(run.usage.cost_nano_usd),
            total_tokens=min(run.usage.tokens, MAX_INT32),
            ledger_entries=run.entries,
            total_carbon_g=grams(run.usage.carbon_ug),
            duration_ms=self._duration_ms(run),
            workflow=run.workflow,
            policy_digest=run.policy_digest,
            effective_policy=self._policies.of(run.policy_digest, run.policy),
            labels=run.labels or None,
            create_time=timestamp(run.create_time),
            update_time=timestamp(run.update_time),
            session_id=run.session_id,
            request_id=run.request_id,
            pending_approval=_pending(run),
        )
        head = message.ledger_head
        head.sequence, head.hash = run.entries, run.head_hash
        if run.blocked_by is not None:
            message.blocked_by, message.block_reason = run.blocked_by, run.reason or ""
        elif run.reason is not None:
            message.status_reason = run.reason
        return message

    def page(self, page: RunPage) -> run_service_pb2.ListRunsResponse:
        """One page of runs."""
        return run_service_pb2.ListRunsResponse(
            runs=[self.run(run) for run in page.runs], next_page_token=page.next_page_token
        )

    def _duration_ms(self, run: Run) -> float:
        start = datetime.fromisoformat(run.create_time)
        end = datetime.fromisoformat(run.update_time) if run.status.ended else self._now()
        return max(0.0, round((end - start).total_seconds() * 1000, 3))


def _pending(run: Run) -> run_pb2.PendingApproval | None:
    pending = run.pending_approval
    if pending is None:
        return None
    return run_pb2.PendingApproval(
        approval_id=pending.approval_id,
        node_id=pending.node_id,
        reason=pending.reason,
        expire_time=timestamp(pending.expire_time),
    )


def check_to_proto(check: RunCheck) -> run_service_pb2.CheckRunResponse:
    """A pre-flight answer."""
    return run_service_pb2.CheckRunResponse(
        admissible=check.admissible,
        workflow=check.workflow,
        effective_policy=policy_to_proto(check.policy),
        policy_digest=check.policy_digest,
        violations=[
            run_service_pb2.PolicyViolation(field=v.field, stage=v.stage, description=v.description, remedy=v.remedy)
            for v in check.violations
        ],
        estimated_cost_usd=usd(check.estimate.cost_nano_usd),
        estimated_tokens=min(check.estimate.tokens, MAX_INT32),
        estimated_carbon_g=grams(check.estimate.carbon_ug),
        approval_nodes=check.approval_nodes,
        expectation=None if check.expectation is None else _expectation(check.expectation),
    )


def _expectation(expectation: RunExpectation) -> run_service_pb2.RunExpectation:
    return run_service_pb2.RunExpectation(
        runs=expectation.runs,
        cost_usd=usd(expectation.usage.cost_nano_usd),
        tokens=min(expectation.usage.tokens, MAX_INT32),
        carbon_g=grams(expectation.usage.carbon_ug),
        nodes=[
            run_service_pb2.NodeExpectation(
                node_id=node.node_id,
                model=node.model,
                runs=node.runs,
                steps=node.usage.steps,
                tokens=min(node.usage.tokens, MAX_INT32),
                cost_usd=usd(node.usage.cost_nano_usd),
                max_step_cost_usd=usd(node.max_cost_nano_usd),
            )
            for node in expectation.nodes
        ],
    )


def diff_to_proto(diff: RunDiff) -> run_service_pb2.DiffRunsResponse:
    """An output that is not there stays absent."""
    return run_service_pb2.DiffRunsResponse(
        only_in_a=diff.only_in_a,
        only_in_b=diff.only_in_b,
        common=diff.common,
        changed=[run_service_pb2.NodeChange(**change) for change in diff.changed],
        cost_delta_usd=diff.cost_delta_usd,
        token_delta=max(-MAX_INT32, min(diff.token_delta, MAX_INT32)),
    )
