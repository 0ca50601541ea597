"""Every call of the HTTP lesson, through the real Envoy, and every way to get one wrong."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import MeshflowServer

TASK = "Analyze the Q3 revenue figures and flag any anomalies."


def sse(text: str) -> list[dict[str, Any]]:
    """The events of an SSE body."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def error(response: httpx.Response) -> dict[str, Any]:
    """The error of a refused call; asserts its one shape."""
    body: dict[str, Any] = response.json()
    assert set(body) == {"code", "message", "details"}, body
    info = [d for d in body["details"] if d["@type"].endswith("google.rpc.ErrorInfo")]
    assert len(info) == 1
    assert info[0]["domain"] == "meshflow.dev"
    body["reason"] = info[0]["reason"]
    bad = [d for d in body["details"] if d["@type"].endswith("google.rpc.BadRequest")]
    body["fields"] = [v["field"] for d in bad for v in d["field_violations"]]
    return body


def test_health_is_ok_with_version_and_uptime(server: MeshflowServer) -> None:
    """GET and HEAD; the probes beside it."""
    body = server.get("/health").json()
    assert (body["ok"], body["status"]) == (True, "ok")
    assert isinstance(body["version"], str)
    assert isinstance(body["uptime_s"], float)
    assert httpx.head(f"{server.url}/health").status_code == 200
    assert server.get("/healthz").json() == {"status": "alive"}
    assert server.get("/readyz").json() == {"status": "ready"}


def test_run_starts_with_the_fields_of_the_lesson_and_numbers_are_numbers(server: MeshflowServer) -> None:
    """In their order, then the rest."""
    response = server.post("/run", {"task": TASK, "policy": {"budget_usd": 2.0, "enable_guardian": True}})
    run = response.json()

    assert response.status_code == 200
    fields = ["run_id", "status", "output", "total_cost_usd", "total_tokens", "ledger_entries"]
    assert list(run)[:6] == fields
    assert run["status"] == "completed"
    assert run["effective_policy"]["budget_usd"] == 2
    for name in ("total_cost_usd", "total_tokens", "ledger_entries", "total_carbon_g", "duration_ms"):
        assert isinstance(run[name], (int, float)), name


def test_ledger_entries_equal_the_rows_in_the_table(server: MeshflowServer) -> None:
    """Counted in the file; the chain starts at 64 zeros and links."""
    run = server.post("/run", {"input": {"topic": "renewable energy"}}).json()
    query = "SELECT prev_hash, hash FROM ledger_entries WHERE run_id = ? ORDER BY seq"
    rows = server.rows(query, run["run_id"])

    assert len(rows) == run["ledger_entries"]
    assert rows[0][0] == "0" * 64
    assert [row[0] for row in rows[1:]] == [row[1] for row in rows[:-1]]
    assert rows[-1][1] == run["ledger_head"]["hash"]


def test_stream_sends_events_as_data_lines(server: MeshflowServer) -> None:
    """run_started, one per agent, run_completed with the output."""
    response = server.post(
        "/stream", {"task": "Research AI governance trends"}, headers={"accept": "text/event-stream"}
    )
    events = sse(response.text)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert [e["event_type"] for e in events] == ["run_started", "agent_completed", "agent_completed", "run_completed"]
    assert events[0]["step"] == 0
    assert events[1]["agent_id"] == "researcher"
    assert isinstance(events[1]["tokens"], int)
    assert events[-1]["output"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"bad_field": "oops"}, ["bad_field", "task"]),
        ({}, ["task"]),
        ({"task": "x", "polcy": {"budget_usd": 1}}, ["polcy"]),
        ({"task": "x", "policy": {"budgt_usd": 1}}, ["policy.budgt_usd"]),
        ({"task": "x", "policy": {"circuit_breaker": {"max_retry": 1}}}, ["policy.circuit_breaker.max_retry"]),
        ({"task": 5}, ["task"]),
        ({"task": "x", "policy": []}, ["policy"]),
        ({"task": "x", "policy": {"budget_usd": "2"}}, ["policy.budget_usd"]),
        ({"task": "x", "policy": {"max_steps": 1.5}}, ["policy.max_steps"]),
        ({"input": "x"}, ["input"]),
    ],
)
@pytest.mark.parametrize("path", ["/run", "/stream", "/v1/runs", "/v1/runs:check"])
def test_bad_fields_are_named(server: MeshflowServer, path: str, body: object, fields: list[str]) -> None:
    """400, one shape, every field with its path, on each route that takes a request."""
    response = server.post(path, body)

    assert response.status_code == 400
    assert error(response)["reason"] == "INVALID_REQUEST"
    assert error(response)["fields"] == fields


@pytest.mark.parametrize(
    "body",
    [
        b'{"task":"x",}',
        b"{task:1}",
        b"{'task':'x'}",
        b"hello",
        b"[1]",
        b'"x"',
        b"null",
        b"12",
        b"",
        b'{"task":"\xff"}',
        b'{"task":"x"} {}',
    ],
)
@pytest.mark.parametrize("path", ["/run", "/stream"])
def test_bodies_that_are_no_json_object_are_refused(server: MeshflowServer, path: str, body: bytes) -> None:
    """4xx in the same shape; nothing 5xx."""
    response = httpx.post(f"{server.url}{path}", content=body, headers={"content-type": "application/json"}, timeout=60)

    assert response.status_code == 400
    assert error(response)["reason"] == "INVALID_REQUEST"


def test_a_deeply_nested_body_is_refused(server: MeshflowServer) -> None:
    """10,000 levels."""
    body = b'{"input":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}"
    response = httpx.post(f"{server.url}/run", content=body, headers={"content-type": "application/json"}, timeout=60)

    assert response.status_code == 400
    assert error(response)["reason"] == "INVALID_REQUEST"


def test_a_body_of_ten_megabytes_is_too_large(server: MeshflowServer) -> None:
    """413, and the limit is named."""
    body = json.dumps({"task": "x" * 10_000_000}).encode()
    response = httpx.post(f"{server.url}/run", content=body, headers={"content-type": "application/json"}, timeout=60)

    assert response.status_code == 413
    assert error(response)["reason"] == "REQUEST_TOO_LARGE"


def test_unknown_paths_and_wrong_methods_are_told_apart(server: MeshflowServer) -> None:
    """404 and 405 with the methods that are allowed."""
    missing = server.get("/nope")
    assert (missing.status_code, error(missing)["reason"]) == (404, "ROUTE_NOT_FOUND")
    wrong = server.get("/run")
    assert (wrong.status_code, error(wrong)["reason"], wrong.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")


def test_a_run_is_found_listed_checked_and_verified_over_rest(server: MeshflowServer) -> None:
    """The resources under /v1/runs."""
    run = server.post("/v1/runs", {"task": "tides", "labels": {"team": "red"}}).json()
    done = server.get(f"/v1/runs/{run['run_id']}:wait", params={"timeout_s": 10}).json()
    assert done["status"] == "completed"
    assert server.get(f"/v1/runs/{run['run_id']}").json() == done
    assert run["run_id"] in {r["run_id"] for r in server.get("/v1/runs", params={"page_size": 100}).json()["runs"]}
    entries = server.get(f"/v1/runs/{run['run_id']}/entries").json()["entries"]
    assert [e["sequence"] for e in entries] == [1, 2, 3, 4]
    verified = server.get(f"/v1/runs/{run['run_id']}:verify").json()
    assert (verified["valid"], verified["entries_checked"]) == (True, 4)
    check = server.post("/v1/runs:check", {"task": "x", "policy": {"budget_usd": 0.000001}}).json()
    assert not check["admissible"]
    assert check["violations"][0]["field"] == "policy.budget_usd"


def test_runs_are_compared_and_exported_over_rest(server: MeshflowServer) -> None:
    """Exports are files of their own type; erasing needs a role that nobody has without a credential."""
    first, second = (server.post("/run", {"task": TASK}).json()["run_id"] for _ in range(2))
    diff = server.get("/v1/runs:diff", params={"run_a": first, "run_b": second}).json()
    assert (diff["common"], diff["changed"], diff["token_delta"]) == (["researcher", "writer"], [], 0)
    exported = server.get(f"/v1/runs/{first}:export")
    assert exported.headers["content-type"] == "application/json"
    assert [e["sequence"] for e in exported.json()["entries"]] == [1, 2, 3, 4]
    sheet = server.get(f"/v1/runs/{first}:export", params={"format": "csv"})
    assert (sheet.headers["content-type"].split(";")[0], len(sheet.text.splitlines()) > 4) == ("text/csv", True)
    bundle = server.get(f"/v1/runs/{first}:export", params={"format": "evidence"})
    assert (bundle.headers["content-type"], b"manifest.json" in bundle.content) == ("application/x-tar", True)
    wrong = server.get(f"/v1/runs/{first}:export", params={"format": "pdf"})
    assert (wrong.status_code, error(wrong)["fields"]) == (400, ["format"])
    refused = server.post(f"/v1/runs/{first}:erase", {"basis": "gdpr art. 17"})
    assert (refused.status_code, error(refused)["reason"]) == (403, "PERMISSION_DENIED")


def test_unknown_runs_are_not_found_on_every_route(server: MeshflowServer) -> None:
    """404 with the id."""
    for path in ("", "/entries", "/events", ":wait", ":verify", ":export"):
        response = server.get(f"/v1/runs/run_x{path}")
        assert (response.status_code, error(response)["reason"]) == (404, "RUN_NOT_FOUND"), path
    assert server.post("/v1/runs/run_x:cancel", {}).status_code == 404


def test_the_same_request_id_is_one_run_and_another_body_conflicts(server: MeshflowServer) -> None:
    """409."""
    first = server.post("/run", {"task": "x", "request_id": "same"}).json()
    assert server.post("/run", {"task": "x", "request_id": "same"}).json()["run_id"] == first["run_id"]
    other = server.post("/run", {"task": "y", "request_id": "same"})
    assert (other.status_code, error(other)["reason"]) == (409, "REQUEST_ID_REUSED")


def test_a_policy_that_is_not_enforced_is_refused_by_name(server: MeshflowServer) -> None:
    """Never an ungoverned run."""
    policy = {"human_in_loop": {"approval_webhook": "https://example.org/hook"}}
    response = server.post("/run", {"task": TASK, "policy": policy})

    assert response.status_code == 400
    assert error(response)["reason"] == "POLICY_FIELD_NOT_ENFORCED"
    assert error(response)["fields"] == ["policy.human_in_loop.approval_webhook"]
