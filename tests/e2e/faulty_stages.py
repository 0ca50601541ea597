"""An application that breaks stages on purpose: a task that names ``raise in STAGE`` makes that stage raise.

``raise twice in audit_ledger.`` also breaks the recording of the refusal; ``no ledger in audit_ledger.`` has the ledger away once.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.kernel.decision import Verdict
from meshflow_grpc.kernel.pipeline import FIFTEEN_STAGES
from meshflow_grpc.kernel.stages.audit_ledger import AuditLedger
from meshflow_grpc.kernel.stages.sla_record import SlaRecord
from meshflow_grpc.tools.registry import tool
from tests.fakes.tools import Application

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.kernel.stages.audit_ledger import StepEnd

registry = Application().registry()


@tool(risk="read_only", labels=(), tenants=("umbrella",))
def theirs() -> str:
    """Reads what belongs to another tenant."""
    return "their data"


registry.add(theirs)


def _raising(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(apply)
    def broken(stage: object, state: Any) -> Any:
        if f"raise in {name}." in state.step.input_json:
            raise RuntimeError("the hard-wired fault of this stage")
        return apply(stage, state)

    return broken


_record, _judge, _observe = AuditLedger.record, SlaRecord.judge, SlaRecord.observe
_away_for: set[str] = set()


async def _broken_record(stage: AuditLedger, end: StepEnd) -> LedgerEntry:
    step = end.state.step
    told, run_id = step.input_json, step.run.run_id
    if "no ledger in audit_ledger." in told and run_id not in _away_for:
        _away_for.add(run_id)
        raise LedgerUnavailableError("the ledger is away")
    first = "raise in audit_ledger." in told and end.verdict is Verdict.COMMITTED
    if first or "raise twice in audit_ledger." in told:
        raise RuntimeError("the hard-wired fault of this stage")
    return await _record(stage, end)


def _broken_judge(stage: SlaRecord, node: Node, latency_ms: int) -> str:
    if node.id == "unjudged":
        raise RuntimeError("the hard-wired fault of this stage")
    return _judge(stage, node, latency_ms)


def _broken_observe(stage: SlaRecord, end: StepEnd) -> None:
    if "raise in sla_record." in end.state.step.input_json:
        raise RuntimeError("the hard-wired fault of this stage")
    _observe(stage, end)


AuditLedger.record = _broken_record  # type: ignore[method-assign]
SlaRecord.judge = _broken_judge  # type: ignore[method-assign]
SlaRecord.observe = _broken_observe  # type: ignore[method-assign]
for _stage in FIFTEEN_STAGES:
    if _stage not in (AuditLedger, SlaRecord):
        _stage.apply = _raising(_stage.name, _stage.apply)  # type: ignore[union-attr,method-assign,assignment]
