"""tests/contract/scenarios.yaml through Python gRPC, REST and SSE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from meshflow_grpc.client import Client, MeshflowCallError, to_json
from tests.e2e.conftest import MeshflowServer

SCENARIOS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "scenarios.yaml").read_text())
# What differs from run to run, whichever face it came through.
OWN = {"run_id", "request_id", "create_time", "update_time", "duration_ms", "ledger_head", "time", "sequence"}


def normal(message: dict[str, Any]) -> dict[str, Any]:
    """A run or an event without what is its own."""
    return {key: value for key, value in message.items() if key not in OWN}


def refusal(answer: dict[str, Any]) -> dict[str, Any]:
    """Reason and first bad field of a JSON error."""
    reason = next(detail["reason"] for detail in answer["details"] if detail["@type"].endswith("ErrorInfo"))
    fields = [each["field"] for detail in answer["details"] for each in detail.get("field_violations", ())]
    return {"reason": reason, **({"field": fields[0]} if fields else {})}


def rest(server: MeshflowServer, request: dict[str, Any]) -> dict[str, Any]:
    """POST /run."""
    response = server.post("/run", request)
    return normal(response.json()) if response.status_code == 200 else refusal(response.json())


def sse(server: MeshflowServer, request: dict[str, Any]) -> list[dict[str, Any]] | dict[str, Any]:
    """POST /stream."""
    response: httpx.Response = server.post("/stream", request)
    if response.status_code != 200:
        return refusal(response.json())
    lines = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    return [normal(json.loads(line)) for line in lines]


def native(server: MeshflowServer, request: dict[str, Any]) -> tuple[Any, Any]:
    """Run and StreamRun."""
    with Client(server.url) as client:
        try:
            run = normal(to_json(client.run(**request)))
            return run, [normal(to_json(event)) for event in client.stream_run(**request)]
        except MeshflowCallError as error:
            found = {"reason": error.reason, **({"field": error.violations[0].field} if error.violations else {})}
            return found, found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario["name"]))
def test_each_face_agrees(server: MeshflowServer, scenario: dict[str, Any]) -> None:
    """The same fields, values and events, and those the scenario expects."""
    request = scenario["request"]
    run, events = native(server, request)

    assert {key: run.get(key) for key in scenario["expect"]} == scenario["expect"]
    assert rest(server, request) == run
    assert sse(server, request) == events
    if "events" in scenario:
        assert [event["event_type"] for event in events] == scenario["events"]
