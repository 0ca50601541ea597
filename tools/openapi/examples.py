"""Examples of the document. The tests send each body to a server, and hold each answer to its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_YAML = """\
name: brief
version: "1"
entry: writer
nodes:
  writer: {role: EXECUTOR, system: "Write three sentences."}
"""

# By RPC: name, summary, body.
BODIES: Mapping[str, tuple[tuple[str, str, Any], ...]] = {
    "Run": (
        ("task", "A task in words", {"task": "Summarise the plan in three sentences."}),
        (
            "policy",
            "Under a policy, once however often it is sent",
            {
                "task": "Summarise the plan in three sentences.",
                "policy": {"mode": "standard", "budget_usd": 0.5, "scrub_pii": True},
                "request_id": "plan-2026-11-21",
                "labels": {"team": "finance"},
            },
        ),
    ),
    "StreamRun": (
        ("events", "Every event, answers as they come", {"task": "Summarise the plan.", "event_view": "full"}),
    ),
    "CreateRun": (("task", "A run that goes on without the caller", {"task": "Summarise the plan."}),),
    "CheckRun": (
        ("policy", "What a budget would mean", {"task": "Summarise the plan.", "policy": {"budget_usd": 0.5}}),
    ),
    "CancelRun": (
        ("empty", "Without a reason", {}),
        ("reason", "With a reason", {"reason": "the plan was withdrawn"}),
    ),
    "ForkRun": (("before_node", "From before a node", {"before_node": "writer", "request_id": "second-try"}),),
    "EraseRun": (("anonymize", "Remove what people wrote", {"basis": "gdpr art. 17(1)(b)"}),),
    "DecideApproval": (("approve", "Approve", {"decision": "approve", "comment": "checked with finance"}),),
    "PutWorkflow": (("one_agent", "One agent", {"yaml": _YAML}),),
    "ApproveWorkflow": (("reviewed", "A second person has reviewed it", {"comment": "reviewed with finance"}),),
    "ValidateWorkflow": (("one_agent", "One agent", {"yaml": _YAML}),),
    "RegisterNode": (
        (
            "agent",
            "An agent of one's own",
            {
                "slug": "agent.ai",
                "endpoints": ["10.0.0.7:8765"],
                "concerns": [{"name": "review", "priority": 5}],
                "ttl_s": 60,
            },
        ),
    ),
    "Heartbeat": (("empty", "It lives", {}),),
}

QUERIES: Mapping[str, Mapping[str, Any]] = {
    "ListRuns": {"page_size": 20, "status": "completed"},
    "WaitRun": {"timeout_s": 10},
    "ExportRun": {"format": "json"},
}

ANSWERS: Mapping[str, Any] = {
    "GetHealth": {"ok": True, "status": "ok", "version": "0.1.0", "uptime_s": 12.5},
    "GetLiveness": {"status": "alive"},
    "GetReadiness": {"status": "ready"},
}
