"""Bytes that are no request, through Envoy to a real server: a typed 4xx, in time, nobody else waits, and the log has no defect."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import MeshflowServer, StartServer

DEEP = 10_000
BODY = json.dumps({"task": "Summarise the plan.", "policy": {"mode": "standard"}}).encode()
HEAD = b"POST %s HTTP/1.1\r\nhost: meshflow\r\nconnection: close\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Iterator[MeshflowServer]:
    """After all of it: no defect in the log, and an orderly end."""
    started = start_server()
    yield started
    assert [entry for entry in started.log if entry["event"] == "internal_error"] == []
    assert started.stop() == 0


def connect(server: MeshflowServer) -> socket.socket:
    """A connection on which small pieces go out at once."""
    url = httpx.URL(server.url)
    connection = socket.create_connection((url.host, url.port or 80), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of the answer on a connection that is then closed."""
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def refusal(status: int, body: bytes) -> str:
    """Checks the shape of an error and returns its reason."""
    assert 400 <= status < 500, (status, body)
    error: dict[str, Any] = json.loads(body)
    assert error["message"]
    assert "Error" not in error["message"]
    info = [detail for detail in error["details"] if detail["@type"].endswith("google.rpc.ErrorInfo")]
    return str(info[0]["reason"])


@pytest.mark.slow
@pytest.mark.parametrize("path", [b"/run", b"/stream", b"/v1/runs", b"/v1/runs:check"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_come_a_byte_at_a_time(server: MeshflowServer, path: bytes, chunked: bool) -> None:
    """Head and body, each byte in a packet of its own, are the same request; others are served meanwhile."""
    framing = b"transfer-encoding: chunked\r\n\r\n" if chunked else b"content-length: %d\r\n\r\n" % len(BODY)
    pieces = [b"1\r\n%c\r\n" % byte for byte in BODY] + [b"0\r\n\r\n"] if chunked else [bytes([b]) for b in BODY]
    with connect(server) as connection:
        for byte in HEAD % path + framing:
            connection.sendall(bytes([byte]))
        for piece in pieces[:-1]:
            connection.sendall(piece)
        assert server.get("/health").status_code == 200
        assert server.post("/run", {"task": "x"}).json()["status"] == "completed"
        connection.sendall(pieces[-1])
        status, body = answer(connection)

    assert status == 200, body


@pytest.mark.slow
def test_a_body_that_never_ends_is_no_run(server: MeshflowServer) -> None:
    """The sender goes away in the middle: nothing was started."""
    before = server.rows("SELECT count(*) FROM runs")
    for _ in range(20):
        with connect(server) as connection:
            connection.sendall(HEAD % b"/run" + b"content-length: 1000\r\n\r\n" + BODY)
    assert server.get("/health").status_code == 200
    assert server.rows("SELECT count(*) FROM runs") == before


BODIES = {
    "objects ten thousand deep": b'{"input":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "arrays ten thousand deep": b'{"input":{"a":' + b"[" * DEEP + b"]" * DEEP + b"}}",
    "open arrays": b'{"task":' + b"[" * 100_000,
    "a number of 400 digits": b'{"task":"x","policy":{"budget_usd":' + b"9" * 400 + b"}}",
    "a number beyond doubles": b'{"task":"x","policy":{"budget_usd":1e400}}',
    "the largest double": b'{"task":"x","policy":{"budget_usd":1.7976931348623157e308}}',
    "a step count beyond integers": b'{"task":"x","policy":{"max_steps":99999999999999999999}}',
    "a negative budget": b'{"task":"x","policy":{"budget_usd":-1}}',
    "not a number": b'{"task":"x","policy":{"budget_usd":NaN}}',
    "infinity": b'{"task":"x","policy":{"budget_usd":-Infinity}}',
    "no UTF-8": b'{"task":"\xff\xfe"}',
    "no UTF-8 in a key": b'{"ta\xc3":"x"}',
    "overlong UTF-8": b'{"task":"\xc0\xaf"}',
    "half a surrogate": b'{"task":"\\ud800"}',
    "a surrogate as UTF-8": b'{"task":"\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"task":"x"}',
    "UTF-16": '{"task":"x"}'.encode("utf-16"),
    "a key twice": b'{"task":"x","task":"y"}',
    "a key twice, deep": b'{"task":"x","policy":{"budget_usd":1,"budget_usd":2}}',
    "a key twice, spelled otherwise": b'{"task":"x","requestId":"a","request_id":"b"}',
    "a policy twice": b'{"task":"x","policy":{"budget_usd":1},"policy":{}}',
    "a control character": b'{"task":"a\x01b"}',
    "a million keys": b'{"labels":{' + b",".join(b'"%d":"x"' % n for n in range(100_000)) + b'},"task":"x"}',
    "an unknown key of a megabyte": b'{"task":"x","' + b"k" * 1_000_000 + b'":1}',
    "a prototype": b'{"task":"x","__proto__":{"admin":true}}',
    "a type": b'{"@type":"type.googleapis.com/meshflow.v1.RunRequest","task":"x"}',
}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/run", "/stream"])
@pytest.mark.parametrize("which", BODIES)
def test_a_bad_body_is_refused(server: MeshflowServer, path: str, which: str) -> None:
    """400 with the reason; nothing of it is repeated at length."""
    sent = httpx.post(
        f"{server.url}{path}", content=BODIES[which], headers={"content-type": "application/json"}, timeout=30
    )

    assert refusal(sent.status_code, sent.content) == "INVALID_REQUEST"
    assert len(sent.content) < 20_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "target",
    [
        b"/v1/runs/%ff",
        b"/v1/runs/%00",
        b"/v1/runs/run_%c0%af",
        b"/v1/runs/\xff",
        b"/v1/runs?page_token=%ff",
        b"/v1/runs?workflow=%ed%a0%80",
        b"/v1/runs?page_size=99999999999999999999",
        b"/v1/runs?page_size=1e3",
        b"/v1/runs?page_size=1&page_size=2000",
        b"/v1/log/inclusion?seq=-1",
        b"/v1/log/inclusion?seq=18446744073709551616",
        b"/v1/runs/..%2f..%2fetc%2fpasswd",
        b"/v1/runs/" + b"x" * 9_000,
        b"/v1/runs/%25%32%65",
        b"/v1/approvals/%ff",
        b"/v1/workflows/%ff",
        b"/v1/runs/%ff/events",
        b"/v1/runs/%ff:export",
    ],
)
def test_a_bad_path_or_query_is_refused(server: MeshflowServer, target: bytes) -> None:
    """4xx with a reason: no 5xx, no text of an exception."""
    with connect(server) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nhost: meshflow\r\nconnection: close\r\n\r\n")
        reason = refusal(*answer(connection))

    assert reason in ("INVALID_REQUEST", "RUN_NOT_FOUND", "ROUTE_NOT_FOUND")


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [
        b"x-large: " + b"v" * 20_000 + b"\r\n",
        b"".join(b"x-%d: v\r\n" % number for number in range(5_000)),
        b"cookie: " + b"a=b; " * 4_000 + b"\r\n",
        b"authorization: Bearer " + b"x" * 20_000 + b"\r\n",
    ],
    ids=["one of 20 kB", "five thousand", "cookies", "a token of 20 kB"],
)
def test_header_bombs_are_refused(server: MeshflowServer, headers: bytes) -> None:
    """431, before anything of the request is looked at."""
    with connect(server) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: meshflow\r\nconnection: close\r\n" + headers + b"\r\n")
        status, body = answer(connection)

    assert status == 431
    assert refusal(status, body) == "REQUEST_TOO_LARGE"


@pytest.mark.slow
@pytest.mark.parametrize("value", [b"\xc3\xa9", b"x" * 9_000, b"a b", b"%0d%0aset-cookie: x", b"${jndi:ldap://x}"])
def test_a_strange_request_id_harms_nothing(server: MeshflowServer, value: bytes) -> None:
    """It is replaced or repeated as it was, on one line of the log."""
    with connect(server) as connection:
        head = b"GET /v1/runs HTTP/1.1\r\nhost: meshflow\r\nconnection: close\r\nx-request-id: "
        connection.sendall(head + value + b"\r\n\r\n")
        status, _ = answer(connection)

    assert status == 200
