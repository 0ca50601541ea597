"""What ties a human's approval to one action: an id, a digest over everything the action consists of, and an end."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from meshflow_grpc.kernel.decision import Deny, Pause
from meshflow_grpc.kernel.stage import Noted

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.kernel.state import Step, StepState

_PREFIX = "apr_"
_RUN = "run_"
# Stands before a run id that its user chose.
_OWN = "~"


def approval_id(run_id: str, number: int) -> str:
    """The approval of a run's step: it names its run, so that no index is needed to find it."""
    named = run_id.removeprefix(_RUN) if run_id.startswith(_RUN) else f"{_OWN}{run_id}"
    return f"{_PREFIX}{named}-{number}"


def run_id_of(approval: str) -> str | None:
    """The run an approval id names; None when it is not one of ours."""
    run, dash, number = approval.removeprefix(_PREFIX).rpartition("-")
    if not (approval.startswith(_PREFIX) and dash and run and number.isascii() and number.isdigit()):
        return None
    return run.removeprefix(_OWN) if run.startswith(_OWN) else f"{_RUN}{run}"


def action_digest(step: Step) -> str:
    """SHA-256 (hex) over tenant, run, step, the node's definition, what it is given, and the policy."""
    run = step.run
    parts = [
        run.tenant_id,
        run.run_id,
        step.step_id,
        run.agents.get(step.node.id, ""),
        step.prompt,
        step.input_json,
        sorted(step.labels),
        run.policy_digest,
    ]
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(b"meshflow/v1/action\0" + text.encode()).hexdigest()


def approved_or(state: StepState, pause: Pause) -> Noted | Deny | Pause:
    """The pause, unless this very action was approved; denies when the approval is of another action."""
    granted = state.step.granted
    if granted is None:
        return pause
    if granted.action_digest != action_digest(state.step):
        return Deny(
            "APPROVAL_MISMATCH",
            f"approval {granted.approval_id} is of another action: its input, definition or policy changed",
            "start a new run",
        )
    return Noted("allow", f"approved: {granted.approval_id}")


def approval_facts(step: Step, now: str) -> dict[str, JsonValue]:
    """What the entry of a paused step says about the approval it waits for."""
    human = step.run.policy.human_in_loop
    end = datetime.fromisoformat(now) + timedelta(seconds=human.timeout_s)
    return {
        "action_digest": action_digest(step),
        "approval_id": approval_id(step.run.run_id, step.number),
        "expire_time": end.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "on_timeout": human.on_timeout.value,
    }
