"""What the ledger keeps about a run as a whole: its first entry, from which it can be resumed, and its last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.conversation import Turn
from meshflow_grpc.domain.json_value import json_string
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import Principal, Run, RunStatus
from meshflow_grpc.governance.approved_changes import is_approved
from meshflow_grpc.governance.compliance import DPIA, LEGAL_EFFECT, PURPOSE
from meshflow_grpc.governance.record_keeping import retention_tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import RunOutcome
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.engine.admission import AdmittedRun
    from meshflow_grpc.workflow.frontier import LoopIteration

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class RunOrigin:
    """What a run was started with, read back from its first entry."""

    principal: Principal
    task: str
    definition: Mapping[str, JsonValue]
    policy: Mapping[str, JsonValue]
    conversation: tuple[Turn, ...] = ()
    approved: bool = True


def new_run(admitted: AdmittedRun, run_id: str, now: str) -> Run:
    """The run as it stands before its first step."""
    request, workflow = admitted.request, admitted.workflow.compiled.workflow
    return Run(
        run_id=run_id,
        tenant_id=admitted.principal.tenant_id,
        workflow=workflow.name,
        status=RunStatus.RUNNING,
        policy_digest=admitted.policy.digest,
        policy=admitted.policy.json,
        create_time=now,
        update_time=now,
        principal_id=admitted.principal.id,
        session_id=request.session_id,
        request_id=request.request_id,
        labels=dict(request.labels),
    )


def started_draft(admitted: AdmittedRun, run: Run, turns: Sequence[Turn] = ()) -> EntryDraft:
    """The run_started entry; its payload holds all that a resume needs, with what the run is told of its session."""
    principal, workflow = admitted.principal, admitted.workflow
    policy = admitted.policy.text
    task = json_string(admitted.task)
    facts: dict[str, JsonValue] = {
        "actor": actor_of(principal),
        "policy_digest": run.policy_digest,
        "workflow": run.workflow,
        "workflow_digest": workflow.compiled.digest,
    }
    retention = retention_tag(admitted.policy.policy.compliance, run.create_time)
    if retention is not None:
        facts["retention"] = {**retention, "immutable": admitted.policy.policy.immutable_audit}
    facts |= admitted.evidence
    facts |= {name: run.labels[name] for name in (PURPOSE, LEGAL_EFFECT, DPIA) if name in run.labels}
    said = ""
    if turns:
        facts["conversation"] = [turn.run_id for turn in turns]
        said = f'"conversation":{_json([_turn_json(turn) for turn in turns])},'
    return EntryDraft(
        run_id=run.run_id,
        tenant_id=run.tenant_id,
        kind=EntryKind.RUN_STARTED,
        time=run.create_time,
        facts=facts,
        input=f'{{{said}"policy":{policy},"task":{task},"workflow":{workflow.definition}}}',
    )


def actor_of(principal: Principal) -> dict[str, JsonValue]:
    """Who acts, as entries say it."""
    return {"principal": principal.id, "auth": principal.method}


def _turn_json(turn: Turn) -> dict[str, JsonValue]:
    return {"run_id": turn.run_id, "task": turn.task, "answer": turn.answer, "labels": sorted(turn.labels)}


def _turn_of(document: Mapping[str, JsonValue]) -> Turn:
    labels = frozenset(cast("list[str]", document["labels"]))
    return Turn(str(document["run_id"]), str(document["task"]), str(document["answer"]), labels)


def forked_draft(
    run: Run,
    start: LedgerEntry,
    actor: Mapping[str, JsonValue],
    origin: JsonValue,
    payload: Mapping[str, JsonValue],
) -> EntryDraft:
    """The run_started entry of a fork; ``forked_from`` names its parent's place and head, which the parent's chain proves."""
    facts: dict[str, JsonValue] = {
        **start.facts,
        "actor": dict(actor),
        "forked_from": origin,
    }
    if "retention" in start.facts:
        tag = cast("Mapping[str, JsonValue]", start.facts["retention"])
        facts["retention"] = {**tag, **(retention_tag(cast("list[str]", tag["profiles"]), run.create_time) or {})}
    return EntryDraft(
        run.run_id, run.tenant_id, EntryKind.RUN_STARTED, run.create_time, facts=facts, input=_json(payload)
    )


def definition_of(draft: EntryDraft) -> Mapping[str, JsonValue]:
    """The workflow definition that a run_started entry about to be recorded holds."""
    return cast("Mapping[str, JsonValue]", json.loads(draft.input or "{}")["workflow"])


def origin_of(entry: LedgerEntry) -> RunOrigin:
    """Reads the run_started entry; raises ValueError when its payload is gone or not ours."""
    if entry.kind is not EntryKind.RUN_STARTED or entry.input is None:
        message = f"run {entry.run_id} has no readable start"
        raise ValueError(message)
    payload = cast("dict[str, JsonValue]", json.loads(entry.input))
    actor = cast("Mapping[str, str]", entry.facts["actor"])
    principal = Principal(actor["principal"], entry.tenant_id, method=actor["auth"])
    definition = cast("Mapping[str, JsonValue]", payload["workflow"])
    turns = cast("list[Mapping[str, JsonValue]]", payload.get("conversation", []))
    return RunOrigin(
        principal,
        cast("str", payload["task"]),
        definition,
        cast("Mapping[str, JsonValue]", payload["policy"]),
        tuple(map(_turn_of, turns)),
        is_approved(entry.facts),
    )


def loop_draft(run: Run, loop: LoopIteration, epoch: int, now: str, *, over: bool) -> EntryDraft:
    """The loop_iterated entry: a back edge was taken, or its iterations are ``over``."""
    edge = f"{loop.edge.source}->{loop.edge.target}"
    facts: dict[str, JsonValue] = {
        "edge": edge,
        "exhausted": over,
        "iteration": loop.iteration,
        "max": loop.max_iterations,
    }
    step_id = f"{edge}#{loop.iteration}{'!' if over else ''}"
    kind = EntryKind.LOOP_ITERATED
    return EntryDraft(run.run_id, run.tenant_id, kind, now, loop.edge.source, step_id, epoch, facts)


def finished_draft(run: Run, outcome: RunOutcome, usage: Usage, now: str, principal: Principal) -> EntryDraft:
    """The run_finished entry."""
    facts: dict[str, JsonValue] = {
        "actor": actor_of(principal),
        "blocked_by": outcome.blocked_by,
        "carbon_ug": usage.carbon_ug,
        "cost_nano_usd": usage.cost_nano_usd,
        "policy_digest": run.policy_digest,
        "status": outcome.status.value,
        "steps": usage.steps,
        "tokens": {"input": usage.input_tokens, "output": usage.output_tokens},
    }
    reason = "null" if outcome.reason is None else json_string(outcome.reason)
    output = f'{{"output":{json_string(outcome.output)},"reason":{reason}}}'
    return EntryDraft(run.run_id, run.tenant_id, EntryKind.RUN_FINISHED, now, facts=facts, output=output)
