"""The shape of a workflow document, once: the JSON Schema that editors use is what the codec checks with."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias

from meshflow_grpc.domain.policy import CircuitBreakerConfig, HumanInLoopConfig, Policy, PolicyRule, RiskTier
from meshflow_grpc.domain.workflow import JoinRule, NodeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema: TypeAlias = dict[str, Any]

MAX_NODES = 10_000
MAX_EDGES = 50_000
MAX_LOOPS = 100
MAX_LOOP_ITERATIONS = 1_000
MAX_CONDITION_CHARS = 4_096
NODE_ID = r"[A-Za-z](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9_])?"
WORKFLOW_NAME = r"[A-Za-z](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?"
RISK_LABELS = {tier.label: tier for tier in RiskTier}
_HTTP_METHODS = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]


def _text(limit: int, description: str, *, least: int = 0) -> Schema:
    bounds: Schema = {"minLength": least} if least else {}
    return {"type": "string", "maxLength": limit, "description": description, **bounds}


NODE_FIELDS: Mapping[str, Schema] = {
    "kind": {
        "type": "string",
        "enum": [kind.value for kind in NodeKind],
        "description": "What executes the node; agent unless given.",
    },
    "role": _text(64, "The role the node plays, as shown in events: RESEARCHER, EXECUTOR, CRITIC."),
    "risk": {
        "type": "string",
        "enum": list(RISK_LABELS),
        "description": "What the node can do to the world; internal unless given.",
    },
    "join": {
        "type": "string",
        "enum": [rule.value for rule in JoinRule],
        "description": "How many incoming branches the node waits for; all unless given.",
    },
    "timeout_s": {
        "type": "number",
        "minimum": 0,
        "maximum": 2_592_000,
        "description": "Seconds one attempt may take; 0: the policy's.",
    },
    "max_retries": {
        "type": "integer",
        "minimum": 0,
        "maximum": 100,
        "description": "Attempts after the first; the policy's unless given.",
    },
    "output_schema": {"type": "object", "description": "JSON Schema that the structured output must match."},
    "sla_ms": {
        "type": "integer",
        "minimum": 1,
        "maximum": 2_592_000_000,
        "description": "Milliseconds the node is expected to take at most.",
    },
}

KIND_FIELDS: Mapping[NodeKind, Mapping[str, Schema]] = {
    NodeKind.AGENT: {
        "system": _text(100_000, "The system prompt."),
        "model": _text(200, "The model; the provider's default unless given.", least=1),
        "prompt": _text(100_000, "Instruction for this node, placed before its input."),
        "max_output_tokens": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1_000_000,
            "description": "Most tokens one answer may have.",
        },
        "tools": {
            "type": "array",
            "maxItems": 128,
            "items": _text(200, "A tool's name.", least=1),
            "description": "Tools the agent may call.",
        },
        "max_tool_rounds": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "How often the agent may answer with tool calls.",
        },
        "mock": {"type": "object", "description": "What the mock provider answers."},
    },
    NodeKind.PYTHON: {"ref": _text(200, "Name of the function in the application's registry.", least=1)},
    NodeKind.TOOL: {
        "tool": _text(200, "The tool's name.", least=1),
        "arguments": {"type": "object", "description": "The arguments it is called with."},
    },
    NodeKind.HTTP: {
        "url": {**_text(2_000, "Where the request goes."), "pattern": r"^https?://[^\s/]\S*$"},
        "method": {"type": "string", "enum": _HTTP_METHODS, "description": "The request's method; GET unless given."},
        "headers": {"type": "object", "description": "Headers of the request, as text."},
        "body": {"description": "What is sent: text, or any other value as JSON."},
    },
    NodeKind.GRPC: {
        "peer": _text(100, "The node of the mesh that is asked first, for example build.ai.", least=1),
        "concern": _text(100, "What is to be done: nodes of the mesh that take it are asked by priority.", least=1),
        "failover": {
            "type": "array",
            "maxItems": 16,
            "items": _text(100, "A node's name.", least=1),
            "description": "Nodes to ask, in this order, when the first cannot take the step.",
        },
        "workflow": _text(
            129, "The workflow the peer runs: NAME or NAME@VERSION of its own; default unless given.", least=1
        ),
        "task": _text(
            100_000, "What the peer is told; may refer to ${task} and ${node}. An agent's input unless given.", least=1
        ),
        "budget_share": {
            "type": "number",
            "minimum": 0.001,
            "maximum": 1,
            "description": "Part of what is left of the run's budget that the peer may use; 0.25 unless given.",
        },
    },
    NodeKind.HUMAN: {"prompt": _text(10_000, "What the person is asked to decide.")},
    NodeKind.SUBGRAPH: {"workflow": _text(64, "Name of the workflow to run.", least=1)},
}

KIND_REQUIRED: Mapping[NodeKind, tuple[str, ...]] = {
    NodeKind.PYTHON: ("ref",),
    NodeKind.TOOL: ("tool",),
    NodeKind.HTTP: ("url",),
    NodeKind.SUBGRAPH: ("workflow",),
}

EDGE: Schema = {
    "type": "object",
    "required": ["from", "to"],
    "additionalProperties": False,
    "properties": {
        "from": _text(64, "The node the edge leaves, or START.", least=1),
        "to": _text(64, "The node the edge leads to, or END.", least=1),
        "condition": _text(MAX_CONDITION_CHARS, "CEL expression; the edge is taken when it is true.", least=1),
        "max_iterations": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LOOP_ITERATIONS,
            "description": "Makes the edge a back edge and says how often a run may take it.",
        },
    },
}
EDGE_TEXT: Schema = {"type": "string", "pattern": r"^\s*[A-Za-z][A-Za-z0-9_-]*\s*->\s*[A-Za-z][A-Za-z0-9_-]*\s*$"}


def any_node_schema() -> Schema:
    """Returns the schema of a node whose kind is not known: any kind's fields, none required."""
    fields = {name: field for own in KIND_FIELDS.values() for name, field in own.items()}
    return {"type": "object", "properties": {**NODE_FIELDS, **fields}, "additionalProperties": False}


def node_schema(kind: NodeKind) -> Schema:
    """Returns the schema of one node of a kind: the common fields and the kind's own."""
    schema: Schema = {
        "type": "object",
        "properties": {**NODE_FIELDS, **KIND_FIELDS[kind]},
        "additionalProperties": False,
        "required": list(KIND_REQUIRED.get(kind, ())),
    }
    if kind is NodeKind.GRPC:
        schema["oneOf"] = [{"required": ["peer"]}, {"required": ["concern"]}]
    return schema


def _fields_of(config: type[Any], nested: Mapping[str, Schema] | None = None) -> Schema:
    names: Mapping[str, Schema] = {field.name: {} for field in dataclasses.fields(config)}
    return {"type": "object", "additionalProperties": False, "properties": {**names, **(nested or {})}}


POLICY: Schema = {
    **_fields_of(
        Policy,
        {
            "circuit_breaker": _fields_of(CircuitBreakerConfig),
            "human_in_loop": _fields_of(HumanInLoopConfig),
            "rules": {"type": "array", "items": _fields_of(PolicyRule)},
        },
    ),
    "description": "Policy fields the workflow asks for (docs/policy.md).",
}

WORKFLOW_FIELDS: Mapping[str, Schema] = {
    "name": {
        "type": "string",
        "pattern": f"^{WORKFLOW_NAME}$",
        "description": "The name under which the workflow is registered.",
    },
    "version": _text(64, "The author's version, text.", least=1),
    "description": _text(4_000, "What the workflow is for."),
    "policy": POLICY,
    "entry": _text(64, "The node that starts; or leave it out and write edges from START.", least=1),
    "nodes": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": MAX_NODES,
        "propertyNames": {"pattern": f"^{NODE_ID}$"},
        "description": "The nodes by id.",
    },
    "edges": {
        "type": "array",
        "maxItems": MAX_EDGES,
        "items": {"oneOf": [EDGE_TEXT, EDGE]},
        "description": "In order of preference.",
    },
}


def document_schema() -> Schema:
    """Returns the schema of the document without the parts that depend on a node's kind."""
    return {
        "type": "object",
        "required": ["name", "nodes"],
        "additionalProperties": False,
        "properties": dict(WORKFLOW_FIELDS),
    }


def workflow_schema() -> Schema:
    """Returns the JSON Schema (draft 2020-12) of a workflow document, complete, for editors and validators."""
    schema = document_schema()
    kinds = [
        {
            "if": {
                "properties": {"kind": {"const": kind.value}},
                **({} if kind is NodeKind.AGENT else {"required": ["kind"]}),
            },
            "then": node_schema(kind),
        }
        for kind in NodeKind
    ]
    nodes = {**WORKFLOW_FIELDS["nodes"], "additionalProperties": {"type": "object", "allOf": kinds}}
    schema["properties"]["nodes"] = nodes
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "meshflow workflow", **schema}
