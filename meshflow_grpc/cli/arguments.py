"""Reads request arguments: JSON or @file, key=value pairs, and dotted policy settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.client import RunOptions

Task = Annotated[str | None, typer.Argument(help="The task in words; `-` reads it from stdin.", show_default=False)]
Input = Annotated[str | None, typer.Option("--input", help="The task as data: JSON, @file or @- for stdin.")]
Policy = Annotated[str | None, typer.Option("--policy", help="Policy: JSON, @file or @- for stdin.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="policy.KEY=VALUE", help="Sets one policy field; repeatable.")
]
Workflow = Annotated[str | None, typer.Option("--workflow", help="Name of a registered workflow.")]
WorkflowFile = Annotated[
    Path | None, typer.Option("--workflow-file", help="A workflow definition in YAML, where the server allows it.")
]
Session = Annotated[str | None, typer.Option("--session", help="Conversation the run belongs to.")]
Webhook = Annotated[str | None, typer.Option(help="URL that is told when the run has ended.")]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="Label; repeatable.")]
Digest = Annotated[
    str | None, typer.Option("--expect-policy-digest", help="Refuses the run unless its policy has this digest.")
]


def task_text(task: str | None) -> str | None:
    """Returns the task, from stdin when it is ``-``."""
    return sys.stdin.read() if task == "-" else task


def run_options(
    *,
    input_json: str | None,
    policy_json: str | None,
    settings: Sequence[str] | None,
    workflow: str | None,
    workflow_file: Path | None,
    session: str | None = None,
    labels: Sequence[str] | None = None,
    digest: str | None = None,
    request_id: str | None = None,
    webhook: str | None = None,
) -> RunOptions:
    """Gathers the options of a request. Raises InvalidRequestError naming the option that cannot be read."""
    policy = _json_object(policy_json, "--policy") if policy_json is not None else {}
    for setting in settings or ():
        _set(policy, setting)
    options: dict[str, Any] = {
        "input": _json_object(input_json, "--input") if input_json is not None else None,
        "policy": policy or None,
        "workflow": workflow,
        "workflow_yaml": _file_text(str(workflow_file), "--workflow-file") if workflow_file is not None else None,
        "session_id": session,
        "request_id": request_id,
        "webhook": webhook,
        "expected_policy_digest": digest,
        "labels": dict(_pair(label, "--label") for label in labels or ()) or None,
    }
    gathered: RunOptions = {}
    gathered.update({name: value for name, value in options.items() if value is not None})  # type: ignore[typeddict-item]
    return gathered


def _json_object(text: str, option: str) -> dict[str, Any]:
    source = _file_text(text[1:], option) if text.startswith("@") else text
    try:
        value = json.loads(source)
    except json.JSONDecodeError as error:
        hint = f"; for a file write {option} @{text}" if _is_file(text) else ""
        raise _wrong(option, f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}{hint}") from error
    if not isinstance(value, dict):
        raise _wrong(option, 'must be a JSON object, for example {"key": "value"}')
    return value


def _is_file(text: str) -> bool:
    """Whether somebody may have meant a file by it."""
    try:
        return text.endswith((".json", ".yaml", ".yml")) or Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or with characters that none has
        return False


def _file_text(path: str, option: str) -> str:
    if path == "-":
        return sys.stdin.read()
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise _wrong(option, f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _wrong(option, f"{path} is not UTF-8 text") from error


def _set(policy: dict[str, Any], setting: str) -> None:
    """Puts ``policy.a.b=value`` in its place; the value is JSON, or else text."""
    key, value = _pair(setting, "--set")
    root, *path = key.split(".")
    if root != "policy" or not all(path) or not path:
        raise _wrong("--set", f"{key!r} does not start with policy.; write for example --set policy.budget_usd=0.5")
    place = policy
    for name in path[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise _wrong("--set", f"{key!r} lies under a value that is no object")
    try:
        place[path[-1]] = json.loads(value)
    except json.JSONDecodeError:
        place[path[-1]] = value


def _pair(text: str, option: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise _wrong(option, f"{text!r} is not KEY=VALUE")
    return key, value


def _wrong(option: str, description: str) -> InvalidRequestError:
    return InvalidRequestError.of(FieldViolation(option, description))
