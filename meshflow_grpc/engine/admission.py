"""From a request to a run that may start: workflow, effective policy and preconditions resolved, nothing recorded yet."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, replace
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from meshflow_grpc.domain.errors import (
    FieldViolation,
    InvalidRequestError,
    InvalidWorkflowError,
    PolicyDigestMismatchError,
    PolicyFieldNotEnforcedError,
    PolicyFloorViolatedError,
    WorkflowNotFoundError,
)
from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.domain.workflow import Workflow
from meshflow_grpc.engine.prompt import task_text
from meshflow_grpc.governance.approved_changes import is_approved
from meshflow_grpc.governance.compliance import Safeguards, withholds_request
from meshflow_grpc.governance.effective_policy import EffectivePolicy, policy_from_json, resolve
from meshflow_grpc.governance.floors import NO_FLOORS, ServerFloors, raised
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from meshflow_grpc.workflow.catalog import packaged_names, packaged_workflow
from meshflow_grpc.workflow.compiled import CompiledWorkflow, compile_workflow
from meshflow_grpc.workflow.digest import from_json, to_json, workflow_digest
from meshflow_grpc.workflow.reachability import ends_with_a_person
from meshflow_grpc.workflow.yaml_codec import load_workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal, RunRequest
    from meshflow_grpc.domain.workflow import Node, StoredWorkflow
    from meshflow_grpc.engine.node_checks import NodeChecks

CACHED = 256
_FINGERPRINTED = json.JSONEncoder(sort_keys=True, default=repr)
WITHHELD = "[withheld: profile hipaa in production, on a server that does not encrypt payloads]"
_WEBHOOKS_ARE_OFF = FieldViolation(
    "policy.human_in_loop.approval_webhook",
    "this server signs no webhooks; leave it out, or set MESHFLOW_WEBHOOK_SECRET",
)
_NO_WEBHOOKS = FieldViolation("webhook", _WEBHOOKS_ARE_OFF.description)
_NO_EVIDENCE: Mapping[str, JsonValue] = MappingProxyType({})
_SESSION_IS_MISSING = FieldViolation(
    "session_id", "is required with policy.session_budget_usd: name the session whose runs share the budget"
)


@dataclass(frozen=True, slots=True)
class RunnableWorkflow:
    """A workflow ready to run: its graph, its definition as JSON text, its policy fields, and a digest per node.

    ``reviewed`` says that no way through it ends without a person's decision.
    """

    compiled: CompiledWorkflow
    definition: str
    policy_fields: Mapping[str, object]
    agents: Mapping[str, str]
    reviewed: bool = False


class AdmittedRun(NamedTuple):
    """A request that may start. ``withheld`` says that nothing its caller wrote is recorded, because every step will be denied.

    ``evidence`` is what the run's first entry says beside what every run's does.
    """

    principal: Principal
    request: RunRequest
    workflow: RunnableWorkflow
    policy: EffectivePolicy
    task: str
    fingerprint: str
    withheld: bool = False
    evidence: Mapping[str, JsonValue] = _NO_EVIDENCE

    @property
    def approved(self) -> bool:
        """Whether a second person stands for what would run, or none has to."""
        return is_approved(self.evidence)


class Admission:
    """Resolves requests; ``checks`` tells which nodes this server cannot execute."""

    def __init__(
        self,
        default_policy: Policy,
        *,
        allow_inline: bool,
        checks: NodeChecks,
        allow_webhooks: bool = False,
        floors: ServerFloors = NO_FLOORS,
        safeguards: Safeguards = Safeguards(),  # noqa: B008 - frozen
    ) -> None:
        self._safeguards = safeguards
        self._floors = floors
        self._allow_webhooks = allow_webhooks
        self._default = default_policy
        self._allow_inline = allow_inline
        self._checks = checks
        self._workflows: OrderedDict[str, RunnableWorkflow] = OrderedDict()
        self._policies: OrderedDict[tuple[str, str], EffectivePolicy] = OrderedDict()

    def admit(
        self, principal: Principal, request: RunRequest, found: StoredWorkflow | Workflow | None = None
    ) -> AdmittedRun:
        """As ``resolve``; also raises PolicyFloorViolatedError naming every field that asks for less than a floor.

        A request whose every step stage 6 will deny for want of encryption is admitted without its task, which is then never recorded.
        """
        admitted = self.resolve(principal, request, found)
        if below := admitted.policy.below_floor:
            raise PolicyFloorViolatedError("; ".join(f"{v.field}: {v.description}" for v in below), violations=below)
        if withholds_request(admitted.policy.policy, self._safeguards):
            return admitted._replace(task=WITHHELD, withheld=True)
        return admitted

    def resolve(
        self, principal: Principal, request: RunRequest, found: StoredWorkflow | Workflow | None = None
    ) -> AdmittedRun:
        """Raises InvalidRequestError, InvalidWorkflowError, WorkflowNotFoundError or PolicyDigestMismatchError; records nothing.

        ``found`` is what the request's workflow was found to be in the tenant (RegisteredWorkflows.of_request).
        """
        if request.task is None and request.input is None:
            raise InvalidRequestError.of(FieldViolation("task", "either task or input is required"))
        workflow = self._found(request, found)
        policy = self._policy(workflow, request.policy)
        if policy.policy.human_in_loop.approval_webhook and not self._allow_webhooks:
            raise PolicyFieldNotEnforcedError.of(_WEBHOOKS_ARE_OFF)
        if policy.policy.session_budget_usd is not None and request.session_id is None:
            raise InvalidRequestError.of(_SESSION_IS_MISSING)
        expected = request.expected_policy_digest
        if expected is not None and expected != policy.digest:
            raise PolicyDigestMismatchError(
                f"the effective policy is {policy.digest}, not the expected {expected}",
                metadata={"expected_policy_digest": expected, "policy_digest": policy.digest},
            )
        if request.webhook is not None:
            self._check_webhook(request.webhook)
        task = task_text(request.task, request.input)
        return AdmittedRun(principal, request, workflow, policy, task, fingerprint(request))

    def _check_webhook(self, url: str) -> None:
        if not self._allow_webhooks:
            raise InvalidRequestError.of(_NO_WEBHOOKS)
        if self._safeguards.production and not url.lower().startswith("https:"):
            raise InvalidRequestError.of(FieldViolation("webhook", "must be https in production"))

    def _found(self, request: RunRequest, found: StoredWorkflow | Workflow | None) -> RunnableWorkflow:
        text = request.workflow_yaml
        if text is not None and not self._allow_inline:
            problem = FieldViolation(
                "workflow_yaml", "inline workflows are off; use workflow, or set MESHFLOW_ALLOW_INLINE_WORKFLOWS=1"
            )
            raise InvalidRequestError.of(problem)
        if isinstance(found, Workflow):
            return self._kept(f"digest:{workflow_digest(found)}", lambda: self.runnable(found))
        if found is not None:
            return self._kept(
                f"digest:{found.digest}", lambda: self.checked(found.yaml, f"{found.name}@{found.version}")
            )
        if text is None:
            return self._kept(f"name:{request.workflow}", lambda: self.runnable(self._named(request.workflow)))
        key = "yaml:" + hashlib.sha256(text.encode()).hexdigest()
        return self._kept(key, lambda: self.checked(text, "workflow_yaml"))

    def _kept(self, key: str, make: Callable[[], RunnableWorkflow]) -> RunnableWorkflow:
        found = self._workflows.get(key)
        if found is None:
            found = self._workflows[key] = make()
            if len(self._workflows) > CACHED:
                self._workflows.popitem(last=False)
        return found

    def _policy(self, workflow: RunnableWorkflow, fields: Mapping[str, object]) -> EffectivePolicy:
        """Requests come with few different policies: each is resolved and digested once."""
        key = (workflow.compiled.digest, repr(sorted(fields.items(), key=itemgetter(0))))
        found = self._policies.get(key)
        if found is None:
            found = self._policies[key] = resolve(self._default, workflow.policy_fields, fields, self._floors)
            if len(self._policies) > CACHED:
                self._policies.popitem(last=False)
        return found

    def _named(self, name: str) -> Workflow:
        known = packaged_names()
        if name not in known:
            listed = ", ".join(sorted(known))
            raise WorkflowNotFoundError(
                f"workflow {name!r} was not found; known: {listed}", metadata={"workflow": name}
            )
        return packaged_workflow(name)

    def check_recorded(self, definition: Mapping[str, JsonValue], policy: Mapping[str, JsonValue]) -> None:
        """Raises PolicyFloorViolatedError when floors rose above an earlier run's policy, and what ``runnable`` raises."""
        self.runnable(from_json(definition))
        recorded = policy_from_json(policy)
        if raised(recorded, {}, self._floors)[0] != recorded:
            raise PolicyFloorViolatedError(
                "the run's policy is below the floors this server has now; start a new run instead"
            )

    def checked(self, yaml: str, source: str) -> RunnableWorkflow:
        """Reads a definition as a run would; raises InvalidWorkflowError."""
        return self.runnable(load_workflow(yaml, source=source))

    def runnable(self, workflow: Workflow) -> RunnableWorkflow:
        """Compiles a definition and checks that this server can execute and price every node."""
        compiled = compile_workflow(workflow)
        whole = compiled.workflow
        problems = [p for node in whole.nodes for p in self._checks.problems(whole, node)]
        if problems:
            raise InvalidWorkflowError.of(*problems)
        definition = json.dumps(to_json(workflow), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        agents = {node.id: _node_digest(workflow, node) for node in whole.nodes}
        return RunnableWorkflow(
            compiled,
            definition,
            parse_policy_fields(workflow.policy, path="workflow.policy"),
            agents,
            ends_with_a_person(workflow),
        )


def _node_digest(workflow: Workflow, node: Node) -> str:
    """SHA-256 (hex) of the definition of one agent: its identity in the ledger."""
    alone = to_json(replace(workflow, nodes=(node,), edges=(), entry=node.id, policy={}, description=""))
    text = json.dumps(alone, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(b"meshflow/v1/agent\0" + text.encode()).hexdigest()


def fingerprint(request: RunRequest) -> str:
    """SHA-256 (hex) of everything that makes two requests the same (AIP-155); how they are delivered does not count."""
    parts = [
        request.task,
        request.input,
        sorted((name, repr(value)) for name, value in request.policy.items()),
        request.workflow,
        request.workflow_yaml,
        request.session_id,
        sorted(request.labels.items()),
        request.expected_policy_digest,
        *([] if request.webhook is None else [{"webhook": request.webhook}]),
    ]
    return hashlib.sha256(_FINGERPRINTED.encode(parts).encode()).hexdigest()
