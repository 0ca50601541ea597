"""Traces in a real OTLP receiver, metrics on their port, and log lines that name run and trace."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import os
import queue
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.e2e.conftest import MeshflowServer, StartServer
from tests.e2e.test_servers_form_a_mesh import until
from tests.service.anthropic_stand_in import Reply, anthropic_stand_in, text_block

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
TASK = "Summarise the zebra crossing incident"


@dataclass
class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP receiver: keeps the spans it gets."""

    spans: list[trace_pb2.Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    endpoint: str = ""

    def Export(self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any) -> Any:
        """The one call of OTLP."""
        with self.arrived:
            for group in request.resource_spans:
                self.resources.append({a.key: a.value.string_value for a in group.resource.attributes})
                for scope in group.scope_spans:
                    self.spans += scope.spans
            self.arrived.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def of_trace(self, trace_id: str, root: str) -> dict[str, list[trace_pb2.Span]]:
        """Waits until the span named so has arrived; returns the trace's spans by name."""

        def spans() -> list[trace_pb2.Span]:
            return [span for span in self.spans if span.trace_id.hex() == trace_id]

        with self.arrived:
            assert self.arrived.wait_for(lambda: any(s.name == root for s in spans()), timeout=60), self.spans
            named: dict[str, list[trace_pb2.Span]] = {}
            for span in spans():
                named.setdefault(span.name, []).append(span)
        return named


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Listens on a free port."""
    server = grpc.server(ThreadPoolExecutor(2))
    receiver = Receiver()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    port = server.add_insecure_port("127.0.0.1:0")
    receiver.endpoint = f"http://127.0.0.1:{port}"
    server.start()
    yield receiver
    server.stop(0).wait()


@pytest.fixture(scope="module")
def observed(receiver: Receiver, start_server: StartServer) -> MeshflowServer:
    """A server that exports its traces at once."""
    return start_server(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY="50")


def _attributes(span: trace_pb2.Span) -> dict[str, Any]:
    return {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in span.attributes}


def _metrics(server: MeshflowServer) -> str:
    (line,) = [entry for entry in server.log if entry["event"] == "serving_metrics"]
    return httpx.get(line["address"], timeout=60).raise_for_status().text


def _traceparent(trace_id: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{PARENT_ID}-01"}


def test_one_trace_leads_from_the_caller_to_each_model_call(observed: MeshflowServer, receiver: Receiver) -> None:
    """Through Envoy: call, workflow, agents, models, each the child of the one before."""
    run = observed.post("/run", {"task": TASK}, headers=_traceparent(TRACE_ID)).json()
    spans = receiver.of_trace(TRACE_ID, "/meshflow.v1.RestService/RunJson")

    (call,) = spans["/meshflow.v1.RestService/RunJson"]
    (workflow,) = spans["invoke_workflow default"]
    (researcher,) = spans["invoke_agent researcher"]
    chats = [span for name, of_name in spans.items() if name.startswith("chat ") for span in of_name]
    assert call.parent_span_id.hex() == PARENT_ID
    assert workflow.parent_span_id == call.span_id
    assert researcher.parent_span_id == workflow.span_id
    assert researcher.span_id in {chat.parent_span_id for chat in chats}
    assert len(chats) == 2
    assert receiver.resources[0]["service.name"] == "meshflow"

    facts = _attributes(workflow)
    assert facts["gen_ai.operation.name"] == "invoke_workflow"
    assert (facts["meshflow.run.id"], facts["meshflow.outcome"]) == (run["run_id"], "completed")
    assert facts["gen_ai.usage.input_tokens"] + facts["gen_ai.usage.output_tokens"] == run["total_tokens"]
    assert facts["meshflow.cost_usd"] == pytest.approx(run["total_cost_usd"])


async def test_the_trace_goes_on_into_the_request_to_the_model_provider(
    receiver: Receiver, start_server: StartServer
) -> None:
    """From the caller's header, through Envoy, to the header that the provider gets: of the same trace, from the span of that call."""
    trace_id = "3" * 32
    async with anthropic_stand_in() as provider:
        server = await asyncio.to_thread(
            start_server,
            MESHFLOW_MOCK="",
            ANTHROPIC_API_KEY="test-key-of-nobody",
            MESHFLOW_ANTHROPIC_BASE_URL=provider.base_url,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_BSP_SCHEDULE_DELAY="50",
        )
        provider.answer_with(Reply((text_block("Findings."),)), Reply((text_block("A summary."),)))
        await asyncio.to_thread(server.post, "/run", {"task": TASK}, headers=_traceparent(trace_id))
        spans = await asyncio.to_thread(receiver.of_trace, trace_id, "/meshflow.v1.RestService/RunJson")
        sent = [exchange.headers["traceparent"].split("-") for exchange in provider.exchanges]
    chats = [span for name, of_name in spans.items() if name.startswith("chat ") for span in of_name]
    assert [header[1] for header in sent] == [trace_id, trace_id]
    assert {header[2] for header in sent} == {span.span_id.hex() for span in chats}


def test_traces_go_over_http_too(start_server: StartServer) -> None:
    """As OTEL_EXPORTER_OTLP_PROTOCOL says; of itself to the registered port 4318."""
    bodies: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.put((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        server = start_server(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_BSP_SCHEDULE_DELAY="50",
        )
        server.post("/run", {"task": TASK})
        path, body = bodies.get(timeout=60)
        server.stop()
        collector.shutdown()
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(gzip_or_plain(body))
    assert path == "/v1/traces"
    assert request.resource_spans


def gzip_or_plain(body: bytes) -> bytes:
    """The exporter may compress."""
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def test_a_refusal_is_an_outcome_of_its_step_not_an_error(observed: MeshflowServer, receiver: Receiver) -> None:
    """The step's span says who refused; its status stays unset."""
    trace_id = TRACE_ID[::-1]
    observed.post("/run", {"task": TASK, "policy": {"budget_usd": 1e-9}}, headers=_traceparent(trace_id))
    spans = receiver.of_trace(trace_id, "/meshflow.v1.RestService/RunJson")
    (step,) = spans["invoke_agent researcher"]
    assert _attributes(step)["meshflow.outcome"] == "denied"
    assert "budget" in _attributes(step)["meshflow.reason"]
    assert step.status.code == trace_pb2.Status.STATUS_CODE_UNSET


def test_payloads_are_in_no_span_and_no_metric(observed: MeshflowServer, receiver: Receiver) -> None:
    """What users wrote and agents answered is in the ledger, nowhere else."""
    trace_id = "1" * 32
    observed.post("/run", {"task": TASK}, headers=_traceparent(trace_id))
    receiver.of_trace(trace_id, "/meshflow.v1.RestService/RunJson")
    with receiver.arrived:
        assert "zebra" not in str(receiver.spans)
    assert "zebra" not in _metrics(observed)


def test_log_lines_name_the_run_and_its_trace(observed: MeshflowServer, receiver: Receiver) -> None:
    """So that a line, a trace and a ledger entry are found from one another."""
    trace_id = "2" * 32
    run = observed.post("/run", {"task": TASK}, headers=_traceparent(trace_id)).json()
    receiver.of_trace(trace_id, "/meshflow.v1.RestService/RunJson")

    def lines() -> list[dict[str, Any]]:
        return [entry for entry in list(observed.log) if entry.get("run_id") == run["run_id"]]

    # Lines are written together, a moment after what they tell of.
    until(lines, "a line of the run")
    assert {entry["trace_id"] for entry in lines()} == {trace_id}


def test_metrics_tell_what_the_runs_did(observed: MeshflowServer) -> None:
    """Served on a port of their own, and not on the public one."""
    before = _metrics(observed)
    observed.post("/run", {"task": TASK, "policy": {"budget_usd": 1e-9}})
    after = _metrics(observed)
    series = 'meshflow_step_refusals_total{reason="BUDGET_EXHAUSTED",stage="budget_check"}'
    assert _sample(after, series) == _sample(before, series) + 1
    assert _sample(after, "meshflow_ready") == 1
    assert _sample(after, 'meshflow_rpcs_total{code="OK",method="/meshflow.v1.RestService/RunJson"}') > 0
    assert observed.get("/metrics").status_code == 404


def test_a_tampered_ledger_is_counted(start_server: StartServer) -> None:
    """The alert on failed verifications has something to fire on."""
    server = start_server()
    run = server.post("/run", {"task": TASK}).json()
    connection = sqlite3.connect(server.ledger)
    connection.execute("UPDATE ledger_entries SET output = 'other' WHERE run_id = ? AND sequence = 2", (run["run_id"],))
    connection.commit()
    connection.close()
    answer = server.get(f"/v1/runs/{run['run_id']}:verify")
    assert answer.status_code == 200, answer.text
    assert _sample(_metrics(server), 'meshflow_ledger_verifications_total{result="tampered"}') == 1


def test_a_port_of_the_metrics_that_is_taken_stops_the_start(observed: MeshflowServer) -> None:
    """Asked for by name, it must be had."""
    (line,) = [entry for entry in observed.log if entry["event"] == "serving_metrics"]
    port = line["address"].rsplit(":", 1)[1].split("/")[0]
    ended = subprocess.run(
        [sys.executable, "-m", "meshflow_grpc", "serve", "--port", "0"],
        env={**os.environ, "MESHFLOW_MOCK": "1", "MESHFLOW_METRICS_PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert f"cannot serve metrics on 127.0.0.1:{port}" in ended.stderr


def _sample(text: str, series: str) -> float:
    values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{series} ")]
    return values[0] if values else 0.0
