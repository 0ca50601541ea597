"""``meshflow run``: data on stdout, progress on stderr, and an exit code that tells the outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import grpc
import pytest

from meshflow_grpc.client.messages import (
    CheckRunResponse,
    ListRunsResponse,
    PolicyViolation,
    RunEvent,
    RunResponse,
)
from tests.unit.client.fake_server import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Finished
    from tests.unit.client.fake_server import FakeServer

    Meshflow = Callable[..., Finished]

EVENTS = [
    RunEvent(event_type="run_started", run_id="run_1", sequence=1),
    RunEvent(event_type="agent_completed", run_id="run_1", sequence=2, node_id="writer", tokens=210, cost_usd=0.0018),
    RunEvent(event_type="run_completed", run_id="run_1", sequence=3, status="completed"),
]


def script(server: FakeServer, status: str = "completed", output: str = "the text") -> None:
    """A server whose run ends with a status."""
    server.answers("CreateRun", RunResponse(run_id="run_1", status="running"))
    server.answers("WatchRun", EVENTS)
    server.answers("GetRun", RunResponse(run_id="run_1", status=status, output=output, total_tokens=210))


@pytest.mark.parametrize(
    ("status", "code"), [("completed", 0), ("failed", 1), ("blocked", 1), ("rejected", 1), ("cancelled", 1)]
)
def test_create_ends_with_the_run(server: FakeServer, meshflow: Meshflow, status: str, code: int) -> None:
    """The result is on stdout, the events on stderr, the status in the exit code."""
    script(server, status)

    finished = meshflow("run", "create", "a task", "--address", server.address)

    assert finished.code == code
    assert "the text" in finished.out
    assert "agent_completed" not in finished.out
    assert "agent_completed   writer         210 tokens · $0.001800" in finished.err


def test_create_sends_everything_it_was_told(server: FakeServer, meshflow: Meshflow, tmp_path: Path) -> None:
    """Options become the request; --set goes over --policy, and JSON output is the run."""
    script(server)
    policy = tmp_path / "policy.json"
    policy.write_text('{"budget_usd": 2, "human_in_loop": {"enabled": true}}')

    finished = meshflow(
        *("run", "create", "a task", "--address", f"http://{server.address}", "-o", "json", "--policy", f"@{policy}"),
        *("--set", "policy.budget_usd=0.5", "--set", "policy.human_in_loop.tier_threshold=external_io"),
        *("--input", '{"topic": "wind"}', "--workflow", "w", "--session", "s", "--label", "team=a=b"),
        *("--request-id", "mine", "--expect-policy-digest", "d"),
    )

    assert json.loads(finished.out)["run_id"] == "run_1"
    (request,) = server.requests("CreateRun")
    assert (request.task, request.workflow, request.session_id, request.request_id) == ("a task", "w", "s", "mine")
    assert (request.policy.budget_usd, request.policy.human_in_loop.tier_threshold) == (0.5, "external_io")
    assert request.policy.human_in_loop.enabled
    assert request.input["topic"] == "wind"
    assert dict(request.labels) == {"team": "a=b"}
    assert request.expected_policy_digest == "d"


def test_a_paused_run_ends_with_4(server: FakeServer, meshflow: Meshflow) -> None:
    """A gate ends the wait; the approval is shown."""
    script(server)
    paused = RunResponse(run_id="run_1", status="paused")
    paused.pending_approval.approval_id = "appr_1"
    server.answers("WatchRun", [RunEvent(event_type="gate_paused", run_id="run_1", sequence=2, node_id="publisher")])
    server.answers("GetRun", paused)

    finished = meshflow("run", "create", "a task", "--address", server.address)

    assert finished.code == 4
    assert "appr_1" in finished.out


def test_detach_returns_at_once(server: FakeServer, meshflow: Meshflow) -> None:
    """A detached run is printed as created and not watched."""
    script(server)

    finished = meshflow("run", "create", "a task", "--detach", "-o", "jsonl", "--address", server.address)

    assert finished.code == 0
    assert json.loads(finished.out)["status"] == "running"
    assert server.requests("WatchRun") == []


@pytest.mark.parametrize("arguments", [("create", "a task", "--watch"), ("watch", "run_1")])
def test_watching_writes_events_as_json_lines(
    server: FakeServer, meshflow: Meshflow, arguments: tuple[str, ...]
) -> None:
    """Each event is a line on stdout, and only events are."""
    script(server)

    finished = meshflow("run", *arguments, "-o", "jsonl", "--address", server.address)

    assert [json.loads(line)["sequence"] for line in finished.out.splitlines()] == [1, 2, 3]
    assert finished.code == 0


def test_watch_starts_where_it_is_told(server: FakeServer, meshflow: Meshflow) -> None:
    """--after and --view reach the server."""
    script(server)

    finished = meshflow("run", "watch", "run_1", "--after", "2", "--view", "full", "--address", server.address)

    (request,) = server.requests("WatchRun")
    assert (request.after_sequence, request.event_view) == (2, "full")
    assert finished.out.split() == ["3", "run_completed", "run_1", "completed"]


def test_a_watch_begins_with_a_run_that_is_there(server: FakeServer, meshflow: Meshflow) -> None:
    """A watch goes on when its server is away for long; one that does not answer at all is told before it begins."""
    script(server)
    server.answers("GetRun", Refusal(grpc.StatusCode.NOT_FOUND, reason="RUN_NOT_FOUND"))

    finished = meshflow("run", "watch", "run_1", "--address", server.address)

    assert finished.code == 6
    assert server.requests("WatchRun") == []


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("paused", 4), ("running", 5)])
def test_wait_tells_the_status(server: FakeServer, meshflow: Meshflow, status: str, code: int) -> None:
    """A run that is still running when the time has passed is 5."""
    server.answers("WaitRun", RunResponse(run_id="run_1", status=status))

    finished = meshflow("run", "wait", "run_1", "--timeout", "3", "--address", server.address)

    assert finished.code == code
    assert ("still running after 3 s" in finished.err) is (status == "running")
    assert server.requests("WaitRun")[0].timeout_s == 3


def test_get_and_cancel_show_the_run(server: FakeServer, meshflow: Meshflow) -> None:
    """Looking at a failed run, or cancelling one, succeeds."""
    server.answers("GetRun", RunResponse(run_id="run_1", status="failed", status_reason="the model failed"))
    server.answers("CancelRun", RunResponse(run_id="run_1", status="cancelled"))

    shown = meshflow("run", "get", "run_1", "--address", server.address)
    cancelled = meshflow("run", "cancel", "run_1", "--reason", "enough", "--address", server.address)

    assert (shown.code, cancelled.code) == (0, 0)
    assert "the model failed" in shown.out
    assert server.requests("CancelRun")[0].reason == "enough"


def test_list_goes_on_to_the_next_page(server: FakeServer, meshflow: Meshflow) -> None:
    """Pages are fetched until the limit, and stderr says that there are more."""
    first = ListRunsResponse(runs=[RunResponse(run_id="run_3"), RunResponse(run_id="run_2")], next_page_token="t")
    server.answers("ListRuns", first, ListRunsResponse(runs=[RunResponse(run_id="run_1")], next_page_token="u"))

    finished = meshflow("run", "list", "--limit", "3", "--status", "failed", "-o", "json", "--address", server.address)

    assert [run["run_id"] for run in json.loads(finished.out)] == ["run_3", "run_2", "run_1"]
    assert [request.page_token for request in server.requests("ListRuns")] == ["", "t"]
    assert "see more with --limit" in finished.err


def test_a_table_in_a_pipe_has_a_line_a_row(server: FakeServer, meshflow: Meshflow) -> None:
    """Nothing is folded or cut off when stdout is no terminal."""
    run_id = "run_" + "0" * 36
    server.answers(
        "ListRuns", ListRunsResponse(runs=[RunResponse(run_id=run_id, status="completed", workflow="w" * 90)])
    )

    finished = meshflow("run", "list", "--address", server.address)

    header, row = finished.out.splitlines()
    assert header.split()[:3] == ["RUN", "STATUS", "WORKFLOW"]
    assert row.split()[:3] == [run_id, "completed", "w" * 90]


def test_check_tells_every_violation_and_ends_with_3(server: FakeServer, meshflow: Meshflow) -> None:
    """An inadmissible request names field, stage and remedy."""
    violation = PolicyViolation(
        field="policy.budget_usd",
        stage="budget_check",
        description="too low",
        remedy="raise policy.budget_usd to at least 0.5",
    )
    server.answers("CheckRun", CheckRunResponse(violations=[violation]), CheckRunResponse(admissible=True))

    refused = meshflow("run", "check", "a task", "--address", server.address)
    admitted = meshflow("run", "check", "a task", "--address", server.address)

    assert refused.code == 3
    assert (
        "violation: too low\n  where: policy.budget_usd (stage budget_check)\n  fix: raise policy.budget_usd to at least 0.5"
        in refused.out
    )
    assert admitted.code == 0


def test_the_token_may_come_from_a_file(server: FakeServer, meshflow: Meshflow, tmp_path: Path) -> None:
    """--token-file sends the file's content without its newline."""
    script(server)
    (tmp_path / "token").write_text("from-file\n")

    meshflow("run", "get", "run_1", "--token-file", str(tmp_path / "token"), "--address", server.address)

    assert server.calls[0].metadata["authorization"] == "Bearer from-file"


def test_the_server_may_come_from_the_environment(
    server: FakeServer, meshflow: Meshflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MESHFLOW_ADDRESS and MESHFLOW_TOKEN are the defaults, and a proxy does not stand before this machine."""
    script(server)
    monkeypatch.setenv("MESHFLOW_ADDRESS", server.address)
    monkeypatch.setenv("MESHFLOW_TOKEN", "from-environment")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert meshflow("run", "get", "run_1").code == 0
    assert server.calls[0].metadata["authorization"] == "Bearer from-environment"


def test_control_characters_of_a_model_do_not_reach_the_terminal(server: FakeServer, meshflow: Meshflow) -> None:
    """Escape sequences in an output are printed without their escape; JSON has them escaped."""
    script(server, output="\x1b[2Jgone\x07")

    assert "\x1b" not in meshflow("run", "get", "run_1", "--address", server.address).out
    assert "\\u001b" in meshflow("run", "get", "run_1", "-o", "json", "--address", server.address).out


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal(grpc.StatusCode.NOT_FOUND, reason="RUN_NOT_FOUND"), 6),
        (Refusal(grpc.StatusCode.INVALID_ARGUMENT, reason="INVALID_REQUEST"), 2),
        (Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason="POLICY_FLOOR_VIOLATED"), 3),
        (Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason="POLICY_DIGEST_MISMATCH"), 3),
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, reason="ADMISSION_LIMIT", retry_after_s=7), 5),
        (Refusal(grpc.StatusCode.DEADLINE_EXCEEDED), 5),
        (Refusal(grpc.StatusCode.UNAUTHENTICATED, reason="UNAUTHENTICATED"), 2),
        (Refusal(grpc.StatusCode.INTERNAL, reason="INTERNAL"), 1),
        (Refusal(grpc.StatusCode.UNKNOWN), 1),
    ],
)
def test_each_error_has_its_exit_code(server: FakeServer, meshflow: Meshflow, refusal: Refusal, code: int) -> None:
    """A refused call says what happened and ends with the code of its kind, without a traceback."""
    server.answers("GetRun", refusal)

    finished = meshflow("run", "get", "run_1", "--address", server.address)

    assert finished.code == code
    assert finished.out == ""
    assert finished.err.startswith("error: refused")
    assert "Traceback" not in finished.err
    assert ("fix: try again in 7 s" in finished.err) is (refusal.retry_after_s == 7)
