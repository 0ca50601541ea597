"""output_schema, sla_ms, timeout_s and max_retries of a node are held."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc.domain.errors import InvalidWorkflowError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.engine.events import output_text
from meshflow_grpc.ports.provider import ModelRequest, ProviderError, ProviderFault
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import make_world

SCORED = """
name: scored
entry: critic
nodes:
  critic:
    role: CRITIC
    output_schema:
      type: object
      required: [score]
      properties:
        score: {type: number, minimum: 0, maximum: 1}
        word: {type: string, pattern: "^[a-z]+$"}
        parts: {type: array, items: {$ref: "#/$defs/part"}}
      additionalProperties: false
      $defs: {part: {type: integer}}
  next: {role: EXECUTOR}
edges: ["critic -> next"]
"""


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ('{"score": 0.5, "word": "fine", "parts": [1, 2]}', None),
        ("not json", "it is not JSON"),
        ("[" * 100_000, "it is nested too deep"),
        ("{}", "output: 'score' is a required property"),
        ('{"score": "x"}', "output.score: 'x' is not of type 'number'"),
        ('{"score": 7}', "output.score: 7 is greater than the maximum of 1"),
        ('{"score": 1, "word": "NO"}', "output.word: 'NO' does not match"),
        ('{"score": 1, "parts": [1, "2"]}', "output.parts[1]: '2' is not of type 'integer'"),
        ('{"score": 1, "other": 1}', "output: Additional properties are not allowed"),
    ],
)
async def test_an_output_that_does_not_fit_is_denied_with_its_place(output: str, problem: str | None) -> None:
    """Denied outputs are not released; the next node does not run."""
    world = make_world(FakeProvider({"critic": [output]}))
    run = await world.run(workflow_yaml=SCORED)

    if problem is None:
        assert run.status == "completed"
        return
    assert (run.status, run.blocked_by) == ("blocked", "output_guardrails")
    assert problem in (run.reason or "")
    (denied,) = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.STEP_DENIED]
    assert (denied.facts["reason"], output_text(denied.output)) == ("OUTPUT_SCHEMA_MISMATCH", None)
    assert not any(request.agent_id == "next" for request in world.provider.requests)


async def test_a_refused_output_leaves_no_label_behind() -> None:
    """What was found in it is not in the step's data: that is what went in, and nothing came out."""
    world = make_world(FakeProvider({"critic": ['{"mail": "jane.doe@example.com"}']}))
    run = await world.run(workflow_yaml=SCORED)

    (denied,) = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.STEP_DENIED]
    assert (denied.facts["reason"], denied.facts["labels"]) == ("OUTPUT_SCHEMA_MISMATCH", [])


async def test_what_is_masked_still_has_to_fit() -> None:
    """The schema holds for what is released, not for what was masked away."""
    text = SCORED.replace('"^[a-z]+$"', '"^[a-z@.]+$"')
    world = make_world(FakeProvider({"critic": ['{"score": 1, "word": "jane.doe@example.com"}']}))
    run = await world.run(workflow_yaml=text, policy={"scrub_pii": True})

    assert (run.status, run.blocked_by) == ("blocked", "output_guardrails")
    assert "jane" not in (run.reason or "")


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ("{type: text}", "output_schema.type: "),
        ("{properties: {a: {minimum: x}}}", "output_schema.properties.a.minimum: "),
        ('{$ref: "https://example.com/s.json"}', "output_schema.$ref: must refer to a place in this schema"),
        ('{pattern: "(a)\\\\1"}', "output_schema.pattern: is not a pattern of RE2"),
        ("{patternProperties: {a: {}}}", "output_schema.patternProperties: patternProperties is not enforced"),
    ],
)
async def test_a_schema_that_cannot_be_held_is_refused_at_load(schema: str, place: str) -> None:
    """With line, column and path."""
    text = f"name: w\nentry: a\nnodes: {{a: {{output_schema: {schema}}}}}\n"
    with pytest.raises(InvalidWorkflowError) as caught:
        await make_world().run(workflow_yaml=text)

    (violation,) = caught.value.violations
    assert violation.field.startswith("workflow_yaml:3:")
    assert place in f"{violation.field.split(' ', 1)[1].removeprefix('nodes.a.')}: {violation.description}"


def test_properties_may_be_called_as_keywords_are() -> None:
    """Names of properties and data in enum are not keywords."""
    text = """
name: w
entry: a
nodes:
  a:
    output_schema:
      properties: {patternProperties: {type: string}, pattern: {type: string}, $ref: {enum: [{$ref: "http://x"}]}}
"""
    from meshflow_grpc.workflow.yaml_codec import load_workflow

    assert load_workflow(text).nodes[0].output_schema


async def test_a_node_has_its_own_timeout_retries_and_service_level() -> None:
    """The node's numbers win over the policy's; the SLA is judged and never blocks."""

    async def never(request: ModelRequest) -> str:
        await asyncio.Event().wait()
        return request.agent_id

    text = "name: w\nentry: a\nnodes: {a: {timeout_s: 0.02, max_retries: 1, sla_ms: 1}}\n"
    stuck = make_world(FakeProvider({"a": [never, never, "late"]}))
    failed = await stuck.run(workflow_yaml=text, policy={"circuit_breaker": {"max_retries": 9}})
    busy = ProviderError(ProviderFault.OVERLOADED, "busy", retryable=True)
    retried = make_world(FakeProvider({"a": [busy, "done"]}))
    done = await retried.run(workflow_yaml=text, policy={"circuit_breaker": {"max_retries": 0}})

    assert (failed.status, len(stuck.provider.requests)) == ("failed", 2)
    assert "no answer within 0.02 s" in (failed.reason or "")
    assert (done.status, len(retried.provider.requests)) == ("completed", 2)
    (entry,) = [e for e in await retried.entries(done.run_id) if e.kind is EntryKind.STEP_COMMITTED]
    assert entry.facts["sla"] == "missed"
