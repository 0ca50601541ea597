"""REST and SSE, as any HTTP client sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import grpc
import httpx

from tests.contract.faces import Answer, error
from tests.contract.python_face import plain_request

# By number, https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
CODES = [code.name for code in sorted(grpc.StatusCode, key=lambda code: int(code.value[0]))]
# The method and path of each call; what the path does not take is the query of a GET and the body of a POST.
ROUTES = {
    "run": ("POST", "/run"),
    "stream_run": ("POST", "/stream"),
    "create_run": ("POST", "/v1/runs"),
    "check_run": ("POST", "/v1/runs:check"),
    "get_run": ("GET", "/v1/runs/{run_id}"),
    "list_runs": ("GET", "/v1/runs"),
    "wait_run": ("GET", "/v1/runs/{run_id}:wait"),
    "watch_run": ("GET", "/v1/runs/{run_id}/events"),
    "cancel_run": ("POST", "/v1/runs/{run_id}:cancel"),
    "fork_run": ("POST", "/v1/runs/{run_id}:fork"),
    "diff_runs": ("GET", "/v1/runs:diff"),
    "list_entries": ("GET", "/v1/runs/{run_id}/entries"),
    "verify_run": ("GET", "/v1/runs/{run_id}:verify"),
    "list_approvals": ("GET", "/v1/approvals"),
    "get_approval": ("GET", "/v1/approvals/{approval_id}"),
    "decide_approval": ("POST", "/v1/approvals/{approval_id}:decide"),
    "health": ("GET", "/health"),
}


class RestFace:
    """JSON over HTTP; streams are Server-Sent Events."""

    name = "rest"

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=60, trust_env=False)

    def call(self, call: str, args: dict[str, Any], token: str | None) -> Answer:
        """Sends the request of a call."""
        method, path, rest, until = self._route(call, dict(args))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"json": rest} if method == "POST" else {"params": rest}
        with self._http.stream(method, path, headers=headers, **body) as response:
            if response.status_code != 200:
                return _refused(response)
            if not response.headers["content-type"].startswith("text/event-stream"):
                return Answer(result=json.loads(response.read()))
            return _streamed(response, until)

    def _route(self, call: str, args: dict[str, Any]) -> tuple[str, str, dict[str, Any], str | None]:
        until = args.pop("until", None)
        args = plain_request(args["request"]) if "request" in args else args
        method, path = ROUTES[call]
        taken = {key: quote(str(args.pop(key)), safe="") for key in list(args) if f"{{{key}}}" in path}
        return method, path.format(**taken), args, until

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


class SseFace(RestFace):
    """The same, but a run is followed on POST /stream instead of waited for; what it came to is read when the stream has ended."""

    name = "sse"

    def call(self, call: str, args: dict[str, Any], token: str | None) -> Answer:
        """A run is its stream, then the run that its events name."""
        if call != "run":
            return super().call(call, args, token)
        streamed = super().call("stream_run", args, token)
        if streamed.error is not None:
            return streamed
        last = streamed.events[-1]
        answer = super().call("get_run", {"run_id": last["run_id"]}, token)
        _agree(last, answer.result)
        return answer


def _agree(last: dict[str, Any], run: dict[str, Any]) -> None:
    """The last event says what the run says."""
    if last["event_type"] == "run_completed":
        told = {"status": "status", "output": "output", "blocked_by": "blocked_by", "tokens": "total_tokens"}
        for here, there in told.items():
            assert last.get(here) == run.get(there), (here, last, run)
    else:
        assert (last["event_type"], run["status"]) == ("gate_paused", "paused")


def _refused(response: httpx.Response) -> Answer:
    body = json.loads(response.read())
    info = next(detail for detail in body["details"] if detail["@type"].endswith("ErrorInfo"))
    violations = [each for detail in body["details"] for each in detail.get("field_violations", ())]
    return error(CODES[body["code"]], info["reason"], violations, body["message"])


def _streamed(response: httpx.Response, until: str | None) -> Answer:
    answer = Answer()
    for line in _lines(response):
        if line.startswith("data:"):
            answer.events.append(json.loads(line.removeprefix("data:")))
            if answer.events[-1]["event_type"] == until:
                break
    return answer


def _lines(response: httpx.Response) -> Iterator[str]:
    """Lines as SSE ends them; those of httpx end at U+2028 too."""
    text = ""
    for piece in response.iter_text():
        *lines, text = (text + piece).split("\n")
        yield from lines
