"""The snippets of the API reference run as written, with the import renamed."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc import Agent, DurableWorkflowExecutor, NodeInput, Policy, ReplayLedger, WorkflowDefinition

REFERENCE = Path(__file__).parents[4] / "shared" / "seeds" / "004-core-api-reference.txt"
if not REFERENCE.exists():
    pytest.skip("the reference is not beside the repository", allow_module_level=True)


def _section(heading: str, until: str) -> str:
    """The code of a section, its indentation (which the text has lost) put back."""
    text = (
        REFERENCE.read_text(encoding="utf-8").split(f"\n{heading}¶\n")[1].split(f"\n{until}¶\n" if until else "\0")[0]
    )
    lines, depth = [], 0
    for line in text.splitlines():
        opened = depth or bool(lines and lines[-1].rstrip().endswith(":"))
        inside = bool(re.match(r"(return |\w+: \w)", line)) and opened
        lines.append(f"    {line}" if inside else line)
        depth = int(inside)
    code = "\n".join(lines).replace("from meshflow import", "from meshflow_grpc import")
    return code[code.index("from meshflow_grpc import") :]


async def _execute(code: str, **given: Any) -> dict[str, Any]:
    """The names a snippet leaves behind, its awaits included; ``given`` are the names it takes for granted."""
    names: dict[str, Any] = dict(given)
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


async def test_the_step_runtime_snippet_governs_one_step(tmp_path: Path) -> None:
    """The step is in the ledger, under the policy."""
    ledger = ReplayLedger(str(tmp_path / "runs.db"))
    step = NodeInput(Agent("writer", role="EXECUTOR", system="Write."), "tides")

    found = await _execute(
        _section("StepRuntime", "ReplayLedger"), ledger=ledger, policy=Policy(max_steps=1), node_input=step
    )

    outcome = found["outcome"]
    assert (outcome.verdict, outcome.blocked_by) == ("committed", None)
    assert await ledger.verify_chain(outcome.run_id)
    assert (await ledger.get_run(outcome.run_id))[1].hash == outcome.entry_hash


async def test_the_run_diff_snippet_compares_two_runs(tmp_path: Path) -> None:
    """Every field it names is there."""
    one = WorkflowDefinition("w").add_node("a", role="EXECUTOR")
    await DurableWorkflowExecutor(run_id="run-a").run(one, "tides")
    two = WorkflowDefinition("w").add_node("a", role="EXECUTOR").add_node("b", role="CRITIC").add_edge("a", "b")
    await DurableWorkflowExecutor(run_id="run-b").run(two, "tides")

    found = await _execute(_section("RunDiff", "StateGraph"), ledger=ReplayLedger(str(tmp_path / "runs.db")))

    diff = found["diff"]
    assert (diff.only_in_a, diff.only_in_b, diff.common) == ([], ["b"], ["a"])
    assert diff.cost_delta_usd > 0


async def test_the_durable_executor_snippet_makes_executors_and_a_fork() -> None:
    """Nothing is opened before it is used: the services it names need not be there."""
    found = await _execute(_section("DurableWorkflowExecutor", "Mesh (Control Plane)"))

    assert found["exe"].run_id == "my-run"
    assert found["forked"].run_id.startswith("run_")


async def test_the_mesh_snippet_runs_and_tells() -> None:
    """Its handlers, registered after its run as written, hear of the next one."""
    heard: list[str] = []
    definition = (
        WorkflowDefinition("w").add_node("writer").add_node("critic", role="CRITIC").add_edge("writer", "critic")
    )
    agent = Agent("writer", role="EXECUTOR", system="Write.")
    code = _section("Mesh (Control Plane)", "")

    found = await _execute(
        code, agent=agent, workflow_def=definition, handler=lambda event: heard.append(str(event.node_id))
    )
    assert heard == []

    result = await found["mesh"].run_workflow(definition, input="task text")
    assert (result.status, heard) == ("completed", ["writer", "critic"])
