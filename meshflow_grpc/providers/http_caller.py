"""Requests of http nodes over HTTP: to allowed hosts, at checked addresses, within bounds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import httpx2

from meshflow_grpc.domain.tool import ToolError
from meshflow_grpc.providers.safe_target import UnsafeTargetError, pinned, resolved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.tool import ToolContext

TIMEOUT_S = 30.0
MAX_RESPONSE_BYTES = 1_048_576
MAX_REQUEST_BYTES = 1_048_576
_SAFE = frozenset({"GET", "HEAD"})


class AllowedHttp:
    """Implements ports.http.HttpCaller. ``hosts``: names, or ``*.example.com`` for all below; ``trust_all`` as in safe_target."""

    def __init__(
        self,
        hosts: frozenset[str],
        *,
        trust_all: bool,
        resolve: Callable[[str, int], Awaitable[list[str]]] = resolved,
    ) -> None:
        self._exact = frozenset(host for host in hosts if not host.startswith("*."))
        self._below = tuple(host.removeprefix("*") for host in hosts if host.startswith("*."))
        self._trust_all = trust_all
        self._resolve = resolve

    def refusal(self, url: str) -> str | None:
        """See HttpCaller."""
        if not self._exact and not self._below:
            return "this server calls no HTTP hosts; its operator names those allowed in MESHFLOW_HTTP_HOSTS"
        try:
            host = (urlsplit(url).hostname or "").lower()
        except ValueError as error:
            return str(error)
        if host in self._exact or host.endswith(self._below):
            return None
        return f"the host {host!r} is not one this server may call (MESHFLOW_HTTP_HOSTS)"

    async def call(self, arguments: Mapping[str, JsonValue], context: ToolContext) -> str:
        """See HttpCaller."""
        method, url = str(arguments["method"]), str(arguments["url"])
        refused = self.refusal(url)
        if refused is not None:
            raise ToolError(refused)
        content, kind = _content(arguments.get("body"))
        headers = {**kind, **cast("Mapping[str, str]", arguments.get("headers") or {}), "user-agent": "meshflow-grpc"}
        if method not in _SAFE:
            headers["idempotency-key"] = context.idempotency_key
        try:
            target = await pinned(url, trust_all=self._trust_all, resolve=self._resolve)
            return await self._send(
                method, target.url, content, {**headers, "host": target.host_header}, target.server_name
            )
        except UnsafeTargetError as error:
            raise ToolError(str(error)) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ToolError("the host cannot be reached", retryable=True) from error
        except (httpx2.HTTPError, OSError) as error:
            raise ToolError(f"the request failed: {type(error).__name__}", retryable=method in _SAFE) from error

    async def _send(self, method: str, url: str, content: bytes, headers: dict[str, str], server_name: str) -> str:
        client = httpx2.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S, trust_env=False)
        async with (
            client,
            client.stream(
                method, url, content=content, headers=headers, extensions={"sni_hostname": server_name}
            ) as answer,
        ):
            if not 200 <= answer.status_code < 300:
                redirected = 300 <= answer.status_code < 400
                said = "a redirect, which is not followed" if redirected else "no success"
                again = method in _SAFE and (answer.status_code == 429 or answer.status_code >= 500)
                raise ToolError(f"HTTP {answer.status_code}: {said}", retryable=again)
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_RESPONSE_BYTES:
                    raise ToolError(f"the answer is larger than {MAX_RESPONSE_BYTES} bytes")
            return _document(answer.status_code, answer.headers.get("content-type", ""), bytes(body))


def _content(body: JsonValue) -> tuple[bytes, dict[str, str]]:
    if body is None:
        return b"", {}
    text, kind = (
        (body, "text/plain; charset=utf-8") if isinstance(body, str) else (json.dumps(body), "application/json")
    )
    data = text.encode()
    if len(data) > MAX_REQUEST_BYTES:
        raise ToolError(f"the body has {len(data)} bytes, more than {MAX_REQUEST_BYTES}")
    return data, {"content-type": kind}


def _document(status: int, content_type: str, body: bytes) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    text = body.decode("utf-8", "replace")
    value: object = text
    if kind == "application/json" or kind.endswith("+json"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ToolError("the answer says it is JSON and is not") from error
    return json.dumps({"status": status, "body": value}, ensure_ascii=False, allow_nan=False)
