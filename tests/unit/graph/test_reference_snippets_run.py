"""The snippets of the API reference run as written, with the import renamed."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

REFERENCE = Path(__file__).parents[4] / "shared" / "seeds" / "004-core-api-reference.txt"
if not REFERENCE.exists():
    pytest.skip("the reference is not beside the repository", allow_module_level=True)


def _section(heading: str, until: str) -> str:
    """The code of a section, its indentation (which the text has lost) put back."""
    text = REFERENCE.read_text(encoding="utf-8").split(f"\n{heading}¶\n")[1].split(f"\n{until}¶\n")[0]
    lines, depth = [], 0
    for line in text.splitlines():
        opened = depth or bool(lines and lines[-1].rstrip().endswith(":"))
        inside = bool(re.match(r"(return |\w+: \w)", line)) and opened
        lines.append(f"    {line}" if inside else line)
        depth = int(inside)
    return "\n".join(lines).replace("from meshflow import", "from meshflow_grpc import")


async def _execute(code: str) -> dict[str, Any]:
    """The names a snippet leaves behind, its awaits included."""
    names: dict[str, Any] = {}
    body = textwrap.indent(code, "    ")
    exec(f"async def snippet():\n{body}\n    return locals()\n", names)
    found: dict[str, Any] = await names["snippet"]()
    return found


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", str(tmp_path / "runs.db"))
    monkeypatch.chdir(tmp_path)


def test_the_state_graph_snippet_counts_to_three() -> None:
    """The graph follows itself until its router says done."""
    code = _section("StateGraph", "WorkflowDefinition")
    names: dict[str, Any] = {}

    exec(code, names)

    assert names["result"] == {"messages": [], "count": 3}


def test_the_workflow_definition_snippet_runs_and_exports(tmp_path: Path) -> None:
    """It reads workflow.yaml, runs it, and writes out.yaml."""
    (tmp_path / "workflow.yaml").write_text("name: w\nentry: a\nnodes: {a: {role: EXECUTOR}}\n", encoding="utf-8")

    found = asyncio.run(_execute(_section("WorkflowDefinition", "DurableWorkflowExecutor")))

    assert found["result"].status == "completed"
    assert (tmp_path / "out.yaml").read_text(encoding="utf-8") == found["yaml_str"]
