"""An application that breaks stages on purpose: a task that names ``raise in STAGE`` makes that stage raise."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from meshflow_grpc.kernel.pipeline import FIFTEEN_STAGES
from meshflow_grpc.kernel.stages.audit_ledger import AuditLedger
from meshflow_grpc.kernel.stages.sla_record import SlaRecord
from tests.fakes.tools import Application

if TYPE_CHECKING:
    from collections.abc import Callable

registry = Application().registry()


def _raising(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(apply)
    def broken(stage: object, state: Any) -> Any:
        if f"raise in {name}." in state.step.input_json:
            raise RuntimeError("the hard-wired fault of this stage")
        return apply(stage, state)

    return broken


for _stage in FIFTEEN_STAGES:
    if _stage not in (AuditLedger, SlaRecord):
        _stage.apply = _raising(_stage.name, _stage.apply)  # type: ignore[union-attr,method-assign,assignment]
