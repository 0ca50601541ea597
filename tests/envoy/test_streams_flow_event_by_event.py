"""Server-Sent Events arrive one by one, while the run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from tests.envoy.conftest import Proxy


async def test_the_first_event_arrives_before_the_run_ends(proxy: Proxy, http: httpx.AsyncClient) -> None:
    """The handler goes on only after the client has read the first event."""
    async with http.stream("POST", "/stream", json={"task": "hi"}) as answer:
        lines = answer.aiter_lines()
        first = await anext(lines)
        proxy.witness.proceed.set()
        rest = [line async for line in lines]

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert first == 'data: {"event_type":"run_started","run_id":"run_1","step":0}'
    assert rest == [
        "",
        'data: {"event_type":"run_completed","run_id":"run_1","output":"two\\nlines","status":"completed"}',
        "",
    ]


async def test_watching_keeps_the_servers_own_framing(proxy: Proxy, http: httpx.AsyncClient) -> None:
    """Ids and heartbeats arrive as written, and Last-Event-ID and the query reach the server."""
    query = "/v1/runs/run_1/events?after_sequence=4&event_view=full"
    async with http.stream("GET", query, headers={"last-event-id": "6"}) as answer:
        lines = answer.aiter_lines()
        head = [await anext(lines) for _ in range(4)]
        proxy.witness.proceed.set()
        rest = [line async for line in lines]

    assert answer.headers["content-type"] == "text/event-stream"
    assert head[0] == "id: 7"
    assert '"last-event-id": "6"' in head[1]
    assert head[2:] == ["", ": heartbeat 4 full"]
    assert rest == ["", "id: 8", "data: {}", ""]


async def test_an_error_before_the_first_event_is_a_status(http: httpx.AsyncClient) -> None:
    """A run that does not exist is a 404, not an empty stream."""
    answer = await http.get("/v1/runs/run_absent/events")

    assert (answer.status_code, answer.json()["message"]) == (404, "no run run_absent")
