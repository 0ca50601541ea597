"""What a node is told: the task, and the outputs of the nodes before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def task_text(task: str | None, data: Mapping[str, JsonValue] | None) -> str:
    """The task in words; structured input as JSON."""
    parts = [task] if task else []
    if data is not None:
        parts.append(json.dumps(data, ensure_ascii=False, sort_keys=True))
    return "\n\n".join(parts)


def node_prompt(task: str, upstream: Sequence[tuple[str, str]]) -> str:
    """The prompt of a node, from the task and (node id, output) of the nodes that feed it."""
    if not upstream:
        return task
    results = "\n\n".join(f"Result of {node_id}:\n{output}" for node_id, output in upstream)
    return f"Task:\n{task}\n\n{results}"


def node_input_json(task: str, upstream: Sequence[tuple[str, str]]) -> str:
    """The same as the ledger keeps it."""
    document: dict[str, JsonValue] = {"task": task}
    if upstream:
        document["upstream"] = dict(upstream)
    return _json(document)
