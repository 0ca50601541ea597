"""WorkflowService over a real channel: versions, digests, and runs that name them."""

from __future__ import annotations

import pytest
from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1 import rest_service_pb2
from meshflow_grpc.client import AsyncClient
from meshflow_grpc.client.errors import MeshflowCallError
from tests.service.conftest import Service, failing

PAIR = """
name: pair
version: "%s"
description: Two agents.
entry: writer
nodes: {writer: {role: EXECUTOR}, %s: {role: CRITIC}}
edges: ["writer -> %s"]
"""
ONE, TWO = PAIR % ("1", "critic", "critic"), PAIR % ("2", "judge", "judge")
WRONG = "name: bad\nentry: a\nnodes: {a: {rool: X}}\nedges: [a -> b]\n"


async def _refused(call: object) -> MeshflowCallError:
    with pytest.raises(MeshflowCallError) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def test_a_version_is_registered_once(service: Service) -> None:
    """The same again is the same; another definition under it is refused, and the digest is that of its runs."""
    async with AsyncClient(f"127.0.0.1:{service.port}") as client:
        put = await client.put_workflow(ONE)
        again = await client.put_workflow(f"# a comment is no change\n{ONE}")
        refused = await _refused(client.put_workflow(ONE.replace("Two agents", "Changed")))
        run = await client.run("tides", workflow="pair")

    assert (put.name, put.version, put.principal, put.yaml) == ("pair", "1", "anonymous", ONE)
    assert again == put
    assert refused.reason == "WORKFLOW_VERSION_EXISTS"
    (started, *_) = await service.world.storage.entries("default", run.run_id)
    assert started.facts["workflow_digest"] == put.digest
    assert (run.status, run.workflow) == ("completed", "pair")


async def test_runs_name_the_newest_or_a_version(service: Service) -> None:
    """NAME is the version registered last, NAME@VERSION that one, for all ways to run and to check."""
    async with AsyncClient(f"127.0.0.1:{service.port}") as client:
        await client.put_workflow(ONE)
        await client.put_workflow(TWO)
        newest, first = await client.run("t", workflow="pair"), await client.run("t", workflow="pair@1")
        checked = await client.check_run("t", workflow="pair@2")
        packaged = await client.run("t", workflow="default@1")
        unknown = await _refused(client.run("t", workflow="pair@3"))
        misspelt = await _refused(client.run("t", workflow="piar"))

    async def nodes(run_id: str) -> set[str]:
        return {entry.node_id for entry in await service.world.storage.entries("default", run_id) if entry.node_id}

    assert await nodes(newest.run_id) == {"writer", "judge"}
    assert await nodes(first.run_id) == {"writer", "critic"}
    assert (checked.workflow, packaged.status) == ("pair", "completed")
    assert (unknown.reason, misspelt.reason) == ("WORKFLOW_NOT_FOUND", "WORKFLOW_NOT_FOUND")
    assert "did you mean 'pair'" in misspelt.message


async def test_workflows_are_listed_with_those_of_the_server(service: Service) -> None:
    """In pages by name, without YAML; with a name its versions, newest first."""
    async with AsyncClient(f"127.0.0.1:{service.port}") as client:
        await client.put_workflow(ONE)
        await client.put_workflow(TWO)
        first = await client.list_workflows(page_size=2)
        rest = await client.list_workflows(page_size=2, page_token=first.next_page_token)
        versions = await client.list_workflows(name="pair", page_size=1)
        older = await client.list_workflows(name="pair", page_token=versions.next_page_token)
        shipped = await client.get_workflow("default")
        spoilt = await _refused(client.list_workflows(name="pair", page_token="x"))

    assert [(w.name, w.version) for w in (*first.workflows, *rest.workflows)] == [
        ("default", "1"),
        ("pair", "2"),
        ("production_pipeline", "1"),
    ]
    assert {w.yaml for w in (*first.workflows, *rest.workflows)} == {""}
    assert [(w.version) for w in (*versions.workflows, *older.workflows)] == ["2", "1"]
    assert (older.next_page_token, rest.next_page_token) == ("", "")
    assert shipped.yaml.startswith("name: default")
    assert (shipped.principal, shipped.HasField("create_time")) == ("", False)
    assert spoilt.reason == "INVALID_REQUEST"


async def test_problems_are_told_with_their_place(service: Service) -> None:
    """Validate answers, Put refuses, both with line, column and the nearest name; what the server cannot execute is a problem too."""
    async with AsyncClient(f"127.0.0.1:{service.port}") as client:
        wrong = await client.validate_workflow(WRONG)
        refused = await _refused(client.put_workflow(WRONG))
        unknown_tool = await client.validate_workflow("name: w\nentry: a\nnodes: {a: {kind: tool, tool: none}}\n")
        taken = await _refused(client.put_workflow(ONE.replace("name: pair", "name: default")))
        fine = await client.validate_workflow(ONE)

    assert not wrong.valid
    assert [problem.field for problem in wrong.problems] == ["yaml:3:13 nodes.a.rool", "yaml:4:9 edges[0].to"]
    assert "role" in wrong.problems[0].description
    assert [(v.field) for v in refused.violations] == [problem.field for problem in wrong.problems]
    assert [problem.field for problem in unknown_tool.problems] == ["workflow.nodes.a.tool"]
    assert "ships with the server" in taken.message
    assert (fine.valid, fine.name, fine.version, len(fine.digest)) == (True, "pair", "1", 64)


async def test_the_json_face_is_strict(service: Service) -> None:
    """The twins take ``yaml`` alone."""
    body = Struct()
    body.update({"yaml": ONE})
    put = await service.rest.PutWorkflowJson(body)
    valid = await service.rest.ValidateWorkflowJson(body)
    body.update({"yml": ""})
    refused = await failing(service.rest.PutWorkflowJson(body))

    assert (put.name, valid.digest) == ("pair", put.digest)
    assert (refused.reason, refused.fields) == ("INVALID_REQUEST", ["yml"])


async def test_a_workflow_is_approved_by_another_than_its_author(service: Service) -> None:
    """What ships with the server has no author here; by gRPC and by REST it is the same approval."""
    async with AsyncClient(f"127.0.0.1:{service.port}") as client:
        approved = await client.approve_workflow("default", comment="reviewed")
        await client.put_workflow(ONE)
        own = await _refused(client.approve_workflow("pair"))
        other = await _refused(client.approve_workflow("default", expected_digest="0" * 64))
        unknown = await _refused(client.approve_workflow("nothing"))
        run = await client.run("tides")
    body = rest_service_pb2.WorkflowBody(name="default")
    body.body.update({"comment": "later", "expectedDigest": approved.digest})
    again = await service.rest.ApproveWorkflowJson(body)
    body.body.update({"why": "x"})
    refused = await failing(service.rest.ApproveWorkflowJson(body))

    assert (approved.name, approved.approver, approved.comment, list(approved.authors)) == (
        "default",
        "anonymous",
        "reviewed",
        [],
    )
    assert (approved.policy_digest, again) == (run.policy_digest, approved)
    assert own.reason == "PERMISSION_DENIED"
    assert (other.reason, unknown.reason) == ("APPROVAL_DIGEST_MISMATCH", "WORKFLOW_NOT_FOUND")
    assert refused.fields == ["why"]
