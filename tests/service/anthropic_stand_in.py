"""A local HTTP server that speaks Anthropic's Messages API: answers, streams, errors, stalls and broken connections on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

USAGE = {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 7}


def text_block(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": text}


def tool_block(call_id: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call of a tool."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def thinking_block(thinking: str, signature: str) -> dict[str, Any]:
    """A signed thought."""
    return {"type": "thinking", "thinking": thinking, "signature": signature}


def error_body(kind: str, message: str) -> bytes:
    """The body of an error answer."""
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


@dataclass(frozen=True)
class Reply:
    """How one request is answered. The ``..._after`` count streamed events; ``body`` is sent as it is instead of an answer."""

    blocks: Sequence[Mapping[str, Any]] = (text_block("Hello from the model."),)
    stop_reason: str | None = "end_turn"
    usage: Mapping[str, int] = field(default_factory=lambda: USAGE)
    model: str = "claude-sonnet-5-5"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    silent: bool = False
    stall_after: int | None = None
    cut_after: int | None = None
    end_after: int | None = None
    inject_after: int | None = None
    inject: bytes = b""


def failure(status: int, kind: str, message: str = "no", **headers: str) -> Reply:
    """An error answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=error_body(kind, message), headers=named)


def stream_error(after: int, kind: str) -> Reply:
    """A stream with an error event in it."""
    event = b"event: error\ndata: " + error_body(kind, "in the stream") + b"\n\n"
    return Reply(inject_after=after, inject=event, end_after=after)


@dataclass
class Exchange:
    """A request that came, and whether its client went away before the answer was done."""

    body: dict[str, Any]
    headers: dict[str, str]
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    client_gone: asyncio.Event = field(default_factory=asyncio.Event)


class AnthropicStandIn:
    """Answers the requests that come with the replies queued, in order; ``exchanges`` keeps what came."""

    def __init__(self) -> None:
        self.base_url = ""
        self.exchanges: list[Exchange] = []
        self._arrived: asyncio.Queue[Exchange] = asyncio.Queue()
        self._replies: list[Reply] = []
        self._connections: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    def answer_with(self, *replies: Reply) -> None:
        """Queues replies."""
        self._replies.extend(replies)

    async def next_exchange(self) -> Exchange:
        """Waits for the next request."""
        return await self._arrived.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until it ends."""
        self._connections[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._serve_one(reader, writer):
                pass
        writer.close()

    async def hang_up(self) -> None:
        """Closes the connections and waits for their end."""
        for writer in self._connections.values():
            writer.close()
        await asyncio.gather(*filter(None, self._connections))

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        exchange = Exchange(body, headers)
        self.exchanges.append(exchange)
        self._arrived.put_nowait(exchange)
        reply = self._not_found(head[0]) or self._replies.pop(0)
        if reply.silent:
            exchange.answering.set()
            return await _until_gone(reader, exchange)
        if reply.body is None and body.get("stream"):
            return await _stream(reply, exchange, reader, writer)
        content = reply.body if reply.body is not None else json.dumps(_message(reply, reply.blocks)).encode()
        _head(writer, reply, "application/json", f"content-length: {len(content)}")
        writer.write(content)
        await writer.drain()
        return True

    def _not_found(self, request_line: str) -> Reply | None:
        return None if request_line.startswith("POST /v1/messages ") else failure(404, "not_found_error", request_line)


def _head(writer: asyncio.StreamWriter, reply: Reply, content_type: str, length: str) -> None:
    lines = [f"HTTP/1.1 {reply.status} X", f"content-type: {content_type}", "request-id: req_1", length]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())


def _message(reply: Reply, blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": blocks,
        "stop_reason": reply.stop_reason if blocks else None,
        "stop_sequence": None,
        "usage": reply.usage,
    }


def _events(reply: Reply) -> Iterator[dict[str, Any]]:
    started = {**reply.usage, "output_tokens": 1}
    yield {"type": "message_start", "message": {**_message(reply, ()), "usage": started}}
    for index, block in enumerate(reply.blocks):
        yield {"type": "content_block_start", "index": index, "content_block": _emptied(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": reply.stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": reply.usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _emptied(block: Mapping[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: empty.get(name, value) for name, value in block.items()}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        for place, word in enumerate(block["text"].split(" ")):
            yield {"type": "text_delta", "text": f" {word}" if place else word}
    elif block["type"] == "tool_use":
        written = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
        middle = len(written) // 2
        for part in (written[:middle], written[middle:]):
            yield {"type": "input_json_delta", "partial_json": part}
    else:
        yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block["signature"]}


async def _stream(reply: Reply, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    _head(writer, reply, "text/event-stream", "transfer-encoding: chunked")
    for number, event in enumerate(_events(reply)):
        if number == reply.inject_after:
            _chunk(writer, reply.inject)
        if number == reply.end_after:
            break
        if number == reply.cut_after:
            writer.transport.abort()
            return False
        if number == reply.stall_after:
            await writer.drain()
            exchange.answering.set()
            return await _until_gone(reader, exchange)
        _chunk(writer, f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


def _chunk(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")


async def _until_gone(reader: asyncio.StreamReader, exchange: Exchange) -> bool:
    """Says nothing more until the client closes the connection."""
    with contextlib.suppress(ConnectionError):
        await reader.read()
    exchange.client_gone.set()
    return False


@contextlib.asynccontextmanager
async def anthropic_stand_in() -> AsyncIterator[AnthropicStandIn]:
    """A stand-in on a free port of the loopback interface."""
    stand_in = AnthropicStandIn()
    server = await asyncio.start_server(stand_in.serve, "127.0.0.1", 0)
    stand_in.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield stand_in
        await stand_in.hang_up()
