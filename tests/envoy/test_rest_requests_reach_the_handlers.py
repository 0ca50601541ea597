"""REST calls reach the RPCs they are bound to, with everything that was sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.envoy.conftest import Proxy

BODY = {"task": "hi", "polcy": {"budget": [1, {"deep": None}]}}


def seen(answer: httpx.Response, field: str = "output") -> dict[str, Any]:
    """What the handler saw."""
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.json()[field])
    return found


@pytest.mark.parametrize(
    ("path", "field"), [("/run", "output"), ("/v1/runs", "output"), ("/v1/runs:check", "workflow")]
)
async def test_unknown_keys_arrive(http: httpx.AsyncClient, path: str, field: str) -> None:
    """A key the contract does not know reaches the server at every depth, which can then refuse it."""
    answer = await http.post(path, json=BODY)

    assert seen(answer, field)["body"] == BODY


@pytest.mark.parametrize("content", [b"", b"{}"], ids=["no body", "empty object"])
async def test_a_cancellation_needs_no_body(http: httpx.AsyncClient, content: bytes) -> None:
    """The run id comes from the path; a missing body is an empty one."""
    answer = await http.post("/v1/runs/run_7:cancel", content=content)

    assert seen(answer)["body"] == {}
    assert answer.json()["run_id"] == "run_7"


async def test_a_cancellation_keeps_its_body_whole(http: httpx.AsyncClient) -> None:
    """A body bound to a Struct field keeps unknown keys too."""
    answer = await http.post("/v1/runs/run_7:cancel", json={"reason": "enough", "raeson": 1})

    assert seen(answer)["body"] == {"reason": "enough", "raeson": 1}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/runs/run_7", {"run_id": "run_7", "status": "completed"}),
        ("/v1/runs/run_7:wait?timeout_s=2.5", {"run_id": "run_7", "duration_ms": 2.5}),
        ("/v1/runs?page_size=3&status=failed", {"next_page_token": "3 failed"}),
        ("/v1/runs/run_7/entries?page_size=2", {"next_page_token": "run_7 2"}),
        ("/v1/runs/run_7:verify", {"run_id": "run_7", "valid": True}),
        ("/health", {"ok": True, "status": "ok", "version": "1.2.3", "uptime_s": 1.5}),
        ("/healthz", {"status": "alive"}),
    ],
)
async def test_reads_are_bound_by_path_and_query(
    http: httpx.AsyncClient, path: str, expected: dict[str, object]
) -> None:
    """GET requests are typed: variables of the path and parameters of the query become fields."""
    answer = await http.get(path)

    assert answer.status_code == 200, answer.text
    assert expected.items() <= answer.json().items()


async def test_health_has_exactly_its_four_fields(http: httpx.AsyncClient) -> None:
    """Monitors compare this body literally."""
    answer = await http.get("/health")

    assert answer.text == '{"ok":true,"status":"ok","version":"1.2.3","uptime_s":1.5}'


async def test_head_has_no_body_and_leaves_the_connection_in_order(proxy: Proxy, http: httpx.AsyncClient) -> None:
    """A body after HEAD would be read as the start of the next answer on the connection."""
    head = await http.head("/health")
    after = await http.get("/healthz")

    assert (head.status_code, head.content) == (200, b"")
    assert after.json() == {"status": "alive"}


async def test_an_error_of_the_server_keeps_its_details(http: httpx.AsyncClient) -> None:
    """What the server answers is passed on as google.rpc.Status in JSON."""
    answer = await http.post("/run", json={})

    assert answer.status_code == 400
    assert answer.json() == {
        "code": 3,
        "message": "task or input is required",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "INVALID_REQUEST",
                "domain": "meshflow.dev",
                "metadata": {},
            }
        ],
    }


async def test_an_answer_of_ten_megabytes_arrives(http: httpx.AsyncClient) -> None:
    """The limit of answers is 16 MiB."""
    answer = await http.post("/run", json={"task": "large"})

    assert len(answer.json()["output"]) == 10 * 2**20


async def test_a_body_of_nearly_the_limit_arrives(http: httpx.AsyncClient) -> None:
    """The limit of requests is 4 MiB."""
    task = "x" * (4 * 2**20 - 1024)
    answer = await http.post("/run", json={"task": task})

    assert seen(answer)["body"]["task"] == task


async def test_a_request_id_is_passed_through_and_returned(http: httpx.AsyncClient) -> None:
    """The caller's id reaches the server unchanged; a call without one gets one."""
    own = await http.post("/run", json={"task": "hi"}, headers={"x-request-id": "mine-1"})
    given = await http.post("/run", json={"task": "hi"})

    assert own.headers["x-request-id"] == seen(own)["metadata"]["x-request-id"] == "mine-1"
    assert given.headers["x-request-id"] == seen(given)["metadata"]["x-request-id"] != ""


async def test_answers_carry_no_headers_of_the_machinery(http: httpx.AsyncClient) -> None:
    """REST answers show no gRPC or proxy headers and are not cached."""
    answer = await http.get("/health")

    assert set(answer.headers) == {
        "cache-control",
        "content-length",
        "content-type",
        "date",
        "server",
        "x-content-type-options",
        "x-request-id",
    }
    assert (answer.headers["server"], answer.headers["cache-control"]) == ("meshflow", "no-store")


async def test_a_deadline_in_a_header_is_kept(http: httpx.AsyncClient) -> None:
    """REST callers may send grpc-timeout, as gRPC callers do."""
    answer = await http.post("/run", json={"task": "wait"}, headers={"grpc-timeout": "200m"})

    assert (answer.status_code, answer.json()["code"]) == (504, 4)


async def test_a_read_is_tried_again_when_the_server_is_unavailable(proxy: Proxy, http: httpx.AsyncClient) -> None:
    """Reads have no side effects, so that one short outage is not the caller's matter."""
    answer = await http.get("/v1/runs/run_flaky")

    assert (answer.status_code, proxy.witness.attempts) == (200, 2)


async def test_a_probe_is_not_tried_again(http: httpx.AsyncClient) -> None:
    """Not ready is the answer, with the server's reason."""
    answer = await http.get("/readyz")

    assert (answer.status_code, answer.json()["message"]) == (503, "warming up")
