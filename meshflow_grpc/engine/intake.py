"""From a caller's request to a run that may start: finds the workflow, admits the request, and says what its start has to record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.domain.node_token import NODE_METHOD
from meshflow_grpc.governance.approved_changes import APPROVING, CHANGE, change_facts
from meshflow_grpc.governance.reauthentication import Reauthentication
from meshflow_grpc.governance.storage_limit import PAYLOAD_DAYS, days_kept

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal, RunRequest
    from meshflow_grpc.engine.admission import Admission, AdmittedRun
    from meshflow_grpc.engine.registered_workflows import RegisteredWorkflows
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.workflows import WorkflowStore


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes requests in; nothing is recorded."""

    workflows: RegisteredWorkflows
    admission: Admission
    store: WorkflowStore
    clock: Clock
    reauthentication: Reauthentication = field(default_factory=Reauthentication)
    payload_days: int | None = None

    async def admit(self, principal: Principal, request: RunRequest) -> AdmittedRun:
        """Resolves a request to start; raises as RegisteredWorkflows.find, Admission.admit and Reauthentication.actor."""
        found = await self.workflows.of_request(principal.tenant_id, request)
        return await self._evidenced(self.admission.admit(principal, request, found))

    async def resolve(self, principal: Principal, request: RunRequest) -> AdmittedRun:
        """Resolves a request for a pre-flight; raises as RegisteredWorkflows.find, Admission.resolve and Reauthentication.actor."""
        found = await self.workflows.of_request(principal.tenant_id, request)
        return await self._evidenced(self.admission.resolve(principal, request, found))

    async def _evidenced(self, admitted: AdmittedRun) -> AdmittedRun:
        profiles, now = admitted.policy.policy.compliance, self.clock.now()
        evidence: dict[str, JsonValue] = {"actor": self.reauthentication.actor(admitted.principal, profiles, now)}
        days = days_kept(admitted.request.labels, self.payload_days)
        if days is not None:
            evidence[PAYLOAD_DAYS] = days
        if APPROVING in profiles:
            evidence[CHANGE] = await self._change(admitted)
        return admitted._replace(evidence=evidence)

    async def _change(self, admitted: AdmittedRun) -> JsonValue:
        """Who approved this definition under this policy; of a peer's run, whose policy is the calling node's, under any."""
        principal, digest = admitted.principal, admitted.workflow.compiled.digest
        policy_digest = None if principal.method == NODE_METHOD else admitted.policy.digest
        change = await self.store.approved_change(principal.tenant_id, digest, policy_digest)
        return None if change is None else change_facts(change)
