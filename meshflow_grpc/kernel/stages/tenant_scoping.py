"""Stage 2: the step stays in the run's tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class TenantScoping(Check):
    """Denies a step whose principal belongs to another tenant than the run, or whose tool touches other tenants' data."""

    name = "tenant_scoping"

    def apply(self, state: StepState) -> StepState | Deny:
        """Compares the run's tenant with the principal's, and with those the tool is for."""
        run, action = state.step.run, state.step.action
        if run.tenant_id and run.principal.tenant_id == run.tenant_id:
            if action is None or action.tool is None or action.tool.serves(run.tenant_id):
                return state
            message = f"tool {action.name!r} touches data of other tenants, not of the run's"
            return Deny(
                "TENANT_MISMATCH",
                message,
                "use a tool of the run's tenant, or name the tenant where the tool is declared",
            )
        return Deny(
            "TENANT_MISMATCH", "the principal's tenant is not the run's", "call with a credential of the run's tenant"
        )
