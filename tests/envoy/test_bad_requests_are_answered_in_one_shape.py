"""Bad input is a 4xx with the error shape of the API, whoever answers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc._gen.meshflow.v1.error_reason_pb2 import ErrorReason
from meshflow_grpc.envoy.local_replies import LOCAL_ERRORS, OTHER_CLIENT_ERROR, OTHER_SERVER_ERROR

if TYPE_CHECKING:
    import httpx

    from tests.envoy.conftest import Proxy

POSTS = ["/run", "/stream", "/v1/runs", "/v1/runs:check", "/v1/runs/run_1:cancel"]
NOT_AN_OBJECT = "the request body must be a JSON object"
NOT_JSON = "the request body is not valid JSON, or is nested too deeply"
JSON = {"content-type": "application/json"}


def refused(answer: httpx.Response, status: int, code: int, reason: str = "INVALID_REQUEST") -> str:
    """Checks the whole shape and returns the message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"code", "message", "details"}
    assert body["code"] == code
    assert body["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "meshflow.dev",
            "metadata": {},
        }
    ]
    assert body["message"]
    return str(body["message"])


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", NOT_AN_OBJECT),
        (b'"text"', NOT_AN_OBJECT),
        (b"null", NOT_AN_OBJECT),
        (b'{"task":"x",}', NOT_JSON),
        (b"{'task':'x'}", NOT_JSON),
        (b"{task:1}", NOT_JSON),
        (b'{"task"', NOT_JSON),
        (b'{"task":"x"} x', NOT_JSON),
        (b'{"task":NaN}', NOT_JSON),
        (b'{"task":1e999}', NOT_JSON),
        (b'{"task":"\xff"}', NOT_JSON),
        (b'{"task":"x" /* why */}', NOT_JSON),
        (b'{"task":"x","task":"y"}', "Repeated map key: 'task'"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "too deep"),
        (b'{"a":' + b"[" * 100_000, NOT_JSON),
    ],
    ids=lambda value: value[:14].decode("ascii", "replace") if isinstance(value, bytes) else "",
)
async def test_what_is_not_a_json_object_is_refused(
    http: httpx.AsyncClient, path: str, content: bytes, message: str
) -> None:
    """Strictly RFC 8259: the transcoder's own parser would take trailing commas and single quotes."""
    answer = await http.post(path, content=content, headers=JSON)

    assert message in refused(answer, 400, 3)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"origin": "https://elsewhere.example"},
    ],
    ids=["text", "form", "jsonp", "compressed", "a page without content-type"],
)
async def test_other_content_types_are_refused(http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    """A web page cannot start runs: what browsers send without asking first is not taken."""
    answer = await http.post(path, content=b'{"task":"x"}', headers=headers)

    refused(answer, 415, 3)


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json; charset=utf-8"}, {"content-type": "Application/JSON"}]
)
async def test_json_by_any_spelling_is_taken(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Parameters, case and absence of the content type do not matter to programs."""
    answer = await http.post("/run", content=b'{"task":"x"}', headers=headers)

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", POSTS)
async def test_ten_megabytes_are_too_large(http: httpx.AsyncClient, path: str) -> None:
    """The answer names the limit, and the client gets to read it."""
    answer = await http.post(path, content=b'{"task":"' + b"x" * 10 * 2**20 + b'"}', headers=JSON)

    assert refused(answer, 413, 8, "REQUEST_TOO_LARGE") == "the request body is larger than 4194304 bytes"


async def test_large_headers_are_refused(http: httpx.AsyncClient) -> None:
    """The answer names the limit."""
    answer = await http.get("/health", headers={"x-large": "x" * 20_000})

    assert refused(answer, 431, 8, "REQUEST_TOO_LARGE") == "the request headers are larger than 15 KiB"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/run", "POST"),
        ("GET", "/stream", "POST"),
        ("OPTIONS", "/run", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("PUT", "/v1/runs", "GET, POST"),
        ("DELETE", "/v1/runs/run_1", "GET"),
        ("GET", "/v1/runs/run_1:cancel", "POST"),
        ("POST", "/v1/runs/run_1/events", "GET"),
    ],
)
async def test_a_wrong_method_is_told_the_right_one(
    http: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    """405 with the allow header of RFC 9110."""
    answer = await http.request(method, path)

    refused(answer, 405, 12, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nope"),
        ("POST", "/run/"),
        ("POST", "/RUN"),
        ("GET", "/v1/runs/run_1:nope"),
        ("GET", "/v1/runs/run_1/entries/2"),
        ("POST", "/meshflow.v1.RunService/Run"),
        ("POST", "/grpc.health.v1.Health/Check"),
    ],
)
async def test_an_unknown_path_is_not_found(http: httpx.AsyncClient, method: str, path: str) -> None:
    """Paths the contract does not name never reach the server, not even nearly right ones."""
    answer = await http.request(method, path, content=b"{}", headers=JSON)

    refused(answer, 404, 5, "ROUTE_NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/v1/runs?page_sise=3", "page_sise"),
        ("/v1/runs?page_size=many", "page_size"),
        ("/v1/runs/run_1?run_id=run_2", "run_id is part of the path"),
        ("/v1/runs/run_1/events?run_id=run_2", "run_id is part of the path"),
    ],
)
async def test_a_wrong_query_parameter_is_named(http: httpx.AsyncClient, path: str, part: str) -> None:
    """No parameter is ignored, and none replaces a variable of the path."""
    answer = await http.get(path)

    assert part in refused(answer, 400, 3)


@pytest.mark.parametrize(
    ("request_bytes", "status", "said"),
    [
        (b"hello\r\n\r\n", 400, "http1.codec_error"),
        (b"GET /health HTTP/1.1\r\n\r\n", 400, "missing_host_header"),
        (b"GET /health HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n", 400, "http1.codec_error"),
        (b"GET /health HTTP/1.1\r\nhost: x\r\nx: \x00\r\n\r\n", 400, "http1.invalid_characters"),
        (b"POST /run HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400, "http1.codec_error"),
        (b"POST /run HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, "http1.codec_error"),
        (b"GET /%00 HTTP/1.1\r\nhost: x\r\n\r\n", 400, "path_normalization_failed"),
        (b"GET * HTTP/1.1\r\nhost: x\r\n\r\n", 400, "http1.invalid_url"),
        (b"QUERY /health HTTP/1.1\r\nhost: x\r\n\r\n", 400, "query_missing_content_type"),
        (
            b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            403,
            "connections are not upgraded here",
        ),
    ],
)
async def test_what_is_not_valid_http_is_told_so(proxy: Proxy, request_bytes: bytes, status: int, said: str) -> None:
    """In the shape of every error, with a message, from what Envoy refuses before it looks for a route."""
    reader, writer = await asyncio.open_connection(*proxy.target.split(":"))
    writer.write(request_bytes)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    (length,) = [int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length")]
    body = json.loads(await reader.readexactly(length))
    writer.close()

    assert head.startswith(f"HTTP/1.1 {status} ")
    assert said in body["message"]
    assert body["details"][0]["domain"] == "meshflow.dev"


async def test_a_query_parameter_is_no_part_of_a_body(http: httpx.AsyncClient) -> None:
    """POST takes everything from the body."""
    answer = await http.post("/run?task=other", json={"task": "hi"})

    assert "task" in refused(answer, 400, 3)


def test_every_reason_is_in_the_contract() -> None:
    """Envoy gives no reason that error_reason.proto does not list."""
    reasons = {reason for _, reason in (*LOCAL_ERRORS.values(), OTHER_CLIENT_ERROR, OTHER_SERVER_ERROR)}

    assert {f"ERROR_REASON_{reason}" for reason in reasons} <= set(ErrorReason.keys())
