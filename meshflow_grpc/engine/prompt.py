"""What a node is told: the task, and the outputs of the nodes before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meshflow_grpc.domain.json_value import json_string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.conversation import Turn
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
    prompt = f"Task:\n{task}"
    for node_id, output in upstream:
        prompt += f"\n\nResult of {node_id}:\n{output}"
    return prompt


def with_conversation(prompt: str, turns: Sequence[Turn]) -> str:
    """The prompt after what was said before; no text of a turn can look like the beginning of another one."""
    if not turns:
        return prompt
    said = "\n".join(
        f"[{place}] asked:\n{_inset(turn.task)}\n[{place}] answered:\n{_inset(turn.answer)}"
        for place, turn in enumerate(turns, start=1)
    )
    return f"Earlier in this conversation:\n{said}\n\nNow:\n{prompt}"


def _inset(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def node_input_json(task: str, upstream: Sequence[tuple[str, str]], turns: Sequence[Turn] = ()) -> str:
    """The same as the ledger keeps it; what was said in the ``turns`` the run's first entry holds.

    Put together from its texts: ``task`` and the outputs in ``upstream`` are JSON already, each encoded once however many steps it goes
    into. Of two outputs of one node the later counts.
    """
    given = said = ""
    if upstream:
        outputs = upstream if len(upstream) == 1 else dict(upstream).items()
        given = ",".join([f"{json_string(node_id)}:{output}" for node_id, output in outputs])
        given = f',"upstream":{{{given}}}'
    if turns:
        said = f',"conversation":{_json([turn.run_id for turn in turns])}'
    return f'{{"task":{task}{given}{said}}}'
