"""What the protos' types cannot say of requests: bounds, words, and what is required. The numbers are the server's own.

Keyed by MESSAGE.FIELD; the generator refuses a key that names no field. The fuzz test holds the server to all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshflow_grpc.commands.cancel_run import MAX_REASON_CHARS
from meshflow_grpc.commands.decide_approval import DECISIONS, MAX_COMMENT_CHARS
from meshflow_grpc.commands.erase_run import MAX_BASIS_CHARS, EraseMode
from meshflow_grpc.commands.export_run import CONTENT_TYPES
from meshflow_grpc.commands.list_runs import MAX_PAGE_SIZE
from meshflow_grpc.commands.register_node import MAX_TTL_S
from meshflow_grpc.commands.wait_run import MAX_TIMEOUT_S
from meshflow_grpc.domain.mesh import MAX_CONCERNS, MAX_ENDPOINTS, MAX_PRIORITY
from meshflow_grpc.domain.policy import (
    COMPLIANCE_PROFILES,
    DATA_CLASSES,
    PolicyMode,
    RiskTier,
    RuleEffect,
    TimeoutAction,
)
from meshflow_grpc.domain.run import EventView, OnDisconnect, RunStatus
from meshflow_grpc.governance.policy_fields import (
    MAX_GRAMS,
    MAX_RULES,
    MAX_SECONDS,
    MAX_STEPS,
    MAX_USD,
)
from meshflow_grpc.rpc.convert.run_request import (
    MAX_ID_CHARS,
    MAX_LABEL_KEY,
    MAX_LABEL_VALUE,
    MAX_LABELS,
    MAX_NAME_CHARS,
    MAX_TASK_CHARS,
    MAX_URL_CHARS,
)

_NAMES = {"type": "string", "minLength": 1, "maxLength": 200}
_PRINTABLE = r"^[ -~]*[!-~][ -~]*$"
_DIGEST = {"pattern": "^[0-9a-f]{64}$"}
_PAGE_SIZE = {"minimum": 0, "maximum": MAX_PAGE_SIZE}
_USD = {"minimum": 0, "maximum": MAX_USD}
_TIME_OR_NONE = {"minimum": 0, "maximum": MAX_SECONDS}
_TIME = {"exclusiveMinimum": 0, "maximum": MAX_SECONDS}
_SEQUENCE = {"minimum": 0}
_SLUG = {"pattern": r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", "maxLength": 100}
_COUNT = {"pattern": "^[0-9]{1,18}$"}


def _words(known: tuple[str, ...]) -> dict[str, Any]:
    """Several words: as a list, or as one text with commas."""
    one = "|".join(known)
    text = {"type": "string", "pattern": f"^((({one}),)*({one}))?$"}
    return {"type": ["string", "array"], "anyOf": [text, {"type": "array"}], "items": {"enum": list(known)}}


def _tools() -> dict[str, Any]:
    names = {"type": "array", "items": _NAMES}
    closed = {"type": "object", "properties": {"names": names}, "additionalProperties": False}
    return {"anyOf": [names, closed]}


CONSTRAINTS: Mapping[str, dict[str, Any]] = {
    "RunRequest.task": {"maxLength": MAX_TASK_CHARS, "pattern": r"\S"},
    "RunRequest.workflow": {"maxLength": MAX_NAME_CHARS, "pattern": r"\S"},
    "RunRequest.workflow_yaml": {"maxLength": MAX_TASK_CHARS, "pattern": r"\S"},
    "RunRequest.session_id": {"maxLength": MAX_ID_CHARS, "pattern": _PRINTABLE},
    "RunRequest.request_id": {"maxLength": MAX_ID_CHARS, "pattern": _PRINTABLE},
    "RunRequest.on_disconnect": {"enum": [word.value for word in OnDisconnect]},
    "RunRequest.event_view": {"enum": [word.value for word in EventView]},
    "RunRequest.expected_policy_digest": _DIGEST,
    "RunRequest.labels": {
        "maxProperties": MAX_LABELS,
        "propertyNames": {"minLength": 1, "maxLength": MAX_LABEL_KEY},
        "additionalProperties": {"type": "string", "maxLength": MAX_LABEL_VALUE},
    },
    "RunRequest.webhook": {"format": "uri", "maxLength": MAX_URL_CHARS},
    "Policy.mode": {"enum": [mode.value for mode in PolicyMode]},
    "Policy.budget_usd": _USD,
    "Policy.budget_tokens": {"minimum": 0},
    "Policy.max_steps": {"minimum": 1, "maximum": MAX_STEPS},
    "Policy.timeout_s": _TIME,
    "Policy.step_timeout_s": _TIME_OR_NONE,
    "Policy.carbon_budget_g": {"minimum": 0, "maximum": MAX_GRAMS},
    "Policy.compliance": _words(COMPLIANCE_PROFILES),
    "Policy.denied_data": _words(DATA_CLASSES),
    "Policy.allowed_tools": _tools(),
    "Policy.denied_tools": _tools(),
    "Policy.rules": {"maxItems": MAX_RULES},
    "Policy.max_output_chars": {"minimum": 0},
    "Policy.session_budget_usd": _USD,
    "CircuitBreaker.max_retries": {"minimum": 0, "maximum": 100},
    "CircuitBreaker.failure_threshold": {"minimum": 1, "maximum": 1000},
    "CircuitBreaker.failure_window_s": _TIME,
    "CircuitBreaker.half_open_after_s": _TIME_OR_NONE,
    "HumanInLoop.tier_threshold": {"enum": [tier.label for tier in RiskTier]},
    "HumanInLoop.timeout_s": _TIME,
    "HumanInLoop.on_timeout": {"enum": [action.value for action in TimeoutAction]},
    "HumanInLoop.approval_webhook": {"maxLength": 2000},
    "HumanInLoop.approvers": {"items": _NAMES},
    "PolicyRule.name": {"maxLength": 200},
    "PolicyRule.effect": {"enum": [effect.value for effect in RuleEffect]},
    "PolicyRule.expression": {"maxLength": 4000},
    "ListRunsRequest.page_size": _PAGE_SIZE,
    "ListRunsRequest.status": {"enum": [status.value for status in RunStatus]},
    "ListApprovalsRequest.page_size": _PAGE_SIZE,
    "ListEntriesRequest.page_size": _PAGE_SIZE,
    "ListWorkflowsRequest.page_size": _PAGE_SIZE,
    "WaitRunRequest.timeout_s": {"minimum": 0, "maximum": MAX_TIMEOUT_S},
    "WatchRunRequest.after_sequence": _SEQUENCE,
    "WatchRunRequest.event_view": {"enum": [word.value for word in EventView]},
    "CancelRunRequest.reason": {"maxLength": MAX_REASON_CHARS},
    "ForkRunRequest.before_sequence": _SEQUENCE,
    "ForkRunRequest.request_id": {"maxLength": MAX_ID_CHARS},
    "EraseRunRequest.mode": {"enum": [mode.value for mode in EraseMode]},
    "DecideApprovalRequest.decision": {"enum": [decision.value for decision in DECISIONS]},
    "DecideApprovalRequest.comment": {"maxLength": MAX_COMMENT_CHARS},
    "ApproveWorkflowRequest.comment": {"maxLength": MAX_COMMENT_CHARS},
    "ApproveWorkflowRequest.expected_digest": _DIGEST,
    "DecideApprovalRequest.expected_action_digest": _DIGEST,
    "ExportRunRequest.format": {"enum": list(CONTENT_TYPES)},
    "DiffRunsRequest.run_a": {"minLength": 1},
    "DiffRunsRequest.run_b": {"minLength": 1},
    "EraseRunRequest.basis": {"maxLength": MAX_BASIS_CHARS, "pattern": r"\S"},
    "GetInclusionProofRequest.sequence": _COUNT,
    "GetInclusionProofRequest.seq": _COUNT,
    "GetConsistencyProofRequest.first": _COUNT,
    "GetConsistencyProofRequest.second": _COUNT,
    "RegisterNodeRequest.slug": _SLUG,
    "RegisterNodeRequest.endpoints": {"minItems": 1, "maxItems": MAX_ENDPOINTS},
    "RegisterNodeRequest.concerns": {"maxItems": MAX_CONCERNS},
    "RegisterNodeRequest.ttl_s": {"minimum": 0, "maximum": MAX_TTL_S},
    "RegisterNodeRequest.version": {"maxLength": 100},
    "MeshConcern.name": {"pattern": "^[a-z0-9][a-z0-9._-]*$", "maxLength": 100},
    "MeshConcern.priority": {"minimum": 0, "maximum": MAX_PRIORITY},
    "WatchMeshRequest.after_sequence": _SEQUENCE,
}

# Of the objects themselves.
RULES: Mapping[str, dict[str, Any]] = {
    "RunRequest": {
        "anyOf": [
            {"required": ["task"], "properties": {"task": {"type": "string"}}},
            {"required": ["input"], "properties": {"input": {"type": "object"}}},
        ]
    },
}

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "PolicyRule": ("name", "effect", "expression"),
    "EraseRunRequest": ("basis",),
    "DecideApprovalRequest": ("decision",),
    "PutWorkflowRequest": ("yaml",),
    "ValidateWorkflowRequest": ("yaml",),
    "DiffRunsRequest": ("run_a", "run_b"),
    "GetConsistencyProofRequest": ("first",),
    "RegisterNodeRequest": ("slug", "endpoints"),
    "MeshConcern": ("name",),
}
