"""Callers of every kind, through one address: REST, SSE and gRPC; runs, streams, waits and watches."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import httpx

from meshflow_grpc.client import AsyncClient, Connection, MeshflowCallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
WHOLE = ("run_started", "agent_completed", "agent_completed", "run_completed")
TIMEOUT_S = 60.0


@dataclass
class Load:
    """Callers of every kind, each starting run after run."""

    url: str
    repeats: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    resumed: int = 0
    repeated: int = 0
    runs: dict[str, str] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    stopping: bool = False
    ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, callers: int) -> None:
        """Calls until told to stop."""
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT_S, limits=limits, trust_env=False) as http,
            AsyncClient(Connection(self.url)) as grpc,
            asyncio.TaskGroup() as group,
        ):
            kinds: list[tuple[str, Callable[[], Awaitable[None]]]] = [
                ("REST run", lambda: self._rest_run(http)),
                ("REST stream", lambda: self._rest_stream(http)),
                ("REST wait", lambda: self._rest_wait(http)),
                ("SSE watch", lambda: self._sse_watch(http)),
                ("gRPC run", lambda: self._grpc_run(grpc)),
                ("gRPC stream", lambda: self._grpc_stream(grpc)),
                ("gRPC watch", lambda: self._grpc_watch(grpc)),
            ]
            for number in range(callers):
                group.create_task(self._caller(*kinds[number % len(kinds)]))

    async def _caller(self, kind: str, call: Callable[[], Awaitable[None]]) -> None:
        while not self.stopping:
            begun = time.perf_counter()
            try:
                await call()
            except Exception as error:  # noqa: BLE001 - whatever a caller would see is the measurement
                self.failures.append(f"{time.strftime('%T')} {kind}: {type(error).__name__}: {str(error)[:300]}")
            self.latencies.append(time.perf_counter() - begun)
            async with self.ended:
                self.calls[kind] += 1
                self.ended.notify_all()

    async def more(self, count: int) -> None:
        """Waits for so many more calls."""
        target = self.calls.total() + count
        async with asyncio.timeout(TIMEOUT_S), self.ended:
            await self.ended.wait_for(lambda: self.calls.total() >= target)

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"task": "why are there tides?"}
        return body | ({"request_id": str(uuid4())} if self.repeats else {})

    async def _post(self, http: httpx.AsyncClient, path: str) -> dict[str, Any]:
        return await self._answer(http, "POST", path, json=self._body())

    async def _answer(self, http: httpx.AsyncClient, method: str, path: str, **options: object) -> dict[str, Any]:
        while True:
            answer = await http.request(method, path, **options)  # type: ignore[arg-type]  # passed on
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            if not (self.repeats and answer.status_code == 503):
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
            await self._pause()

    async def _pause(self) -> None:
        self.repeated += 1
        await asyncio.sleep(0.2)

    async def _called(self, call: Callable[[], Awaitable[T]]) -> T:
        """A call of the client, which itself repeats for a few seconds what does not get through."""
        while True:
            try:
                return await call()
            except MeshflowCallError as error:
                if not (self.repeats and error.code == "UNAVAILABLE"):
                    raise
            await self._pause()

    def _ended(self, run: dict[str, Any]) -> None:
        self.runs[run["run_id"]] = run["status"]
        if run["status"] != "completed":
            raise RuntimeError(f"run {run['run_id']} is {run['status']}: {run}")

    async def _rest_run(self, http: httpx.AsyncClient) -> None:
        self._ended(await self._post(http, "/run"))

    async def _rest_stream(self, http: httpx.AsyncClient) -> None:
        body, seen = self._body(), list[str]()
        while True:
            seen.clear()
            try:
                async with http.stream("POST", "/stream", json=body) as answer:
                    async for line in answer.aiter_lines():
                        if line.startswith("data: "):
                            event = json.loads(line.removeprefix("data: "))
                            seen.append(event["event_type"])
                            self.runs.setdefault(event["run_id"], "running")
                    status = answer.status_code
            except httpx.TransportError:
                if not self.repeats:
                    raise
                status = 503
            if tuple(seen) == WHOLE:
                self.runs[event["run_id"]] = event["status"]
                return
            if not self.repeats:
                raise RuntimeError(f"/stream: {status} {seen}")
            await self._pause()

    async def _rest_wait(self, http: httpx.AsyncClient) -> None:
        run_id = (await self._post(http, "/v1/runs"))["run_id"]
        self.runs[run_id] = "running"
        self._ended(await self._answer(http, "GET", f"/v1/runs/{run_id}:wait", params={"timeout_s": TIMEOUT_S}))

    async def _sse_watch(self, http: httpx.AsyncClient) -> None:
        """As a browser's EventSource does: it connects again with the last id whenever the stream ends."""
        run_id = (await self._post(http, "/v1/runs"))["run_id"]
        self.runs[run_id] = "running"
        last, seen = "0", list[str]()
        while "run_completed" not in seen:
            self.resumed += last != "0"
            try:
                async with http.stream("GET", f"/v1/runs/{run_id}/events", headers={"last-event-id": last}) as answer:
                    if answer.status_code == 503 and self.repeats:
                        await self._pause()
                    elif answer.status_code != 200:
                        raise RuntimeError(f"/events: {answer.status_code} {await answer.aread()!r}")
                    async for line in answer.aiter_lines():
                        last = line.removeprefix("id: ") if line.startswith("id: ") else last
                        if line.startswith("data: "):
                            seen.append(json.loads(line.removeprefix("data: "))["event_type"])
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        self._whole(run_id, seen)

    async def _grpc_run(self, client: AsyncClient) -> None:
        body = self._body()
        run = await self._called(lambda: client.run(**body))
        self._ended({"run_id": run.run_id, "status": run.status})

    async def _grpc_stream(self, client: AsyncClient) -> None:
        body = self._body()

        async def stream() -> tuple[str, list[str]]:
            async with aclosing(client.stream_run(**body)) as events:
                found = [(event.run_id, event.event_type) async for event in events]
            return found[0][0], [kind for _, kind in found]

        self._whole(*await self._called(stream))

    async def _grpc_watch(self, client: AsyncClient) -> None:
        body = self._body()
        run_id = (await self._called(lambda: client.create_run(**body))).run_id
        self.runs[run_id] = "running"

        async def watch() -> list[str]:
            return [event.event_type async for event in client.watch_run(run_id)]

        self._whole(run_id, await self._called(watch))

    def _whole(self, run_id: str, seen: list[str]) -> None:
        if tuple(seen) != WHOLE:
            raise RuntimeError(f"run {run_id} showed {seen}")
        self.runs[run_id] = "completed"
