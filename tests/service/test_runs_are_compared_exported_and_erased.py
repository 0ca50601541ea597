"""DiffRuns, ExportRun and EraseRun over a real channel, within the caller's tenant."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2 as messages
from meshflow_grpc._gen.meshflow.v1.rest_service_pb2 import RunBody
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import (
    DiffRunsRequest,
    ForkRunRequest,
    GetRunRequest,
    WaitRunRequest,
)
from meshflow_grpc.audit import verify_bundle
from meshflow_grpc.domain.run import Principal
from tests.conformance.drafts import whole_run
from tests.service.conftest import MakeService, Service, failing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PERSON = "Erika Mustermann"
BASIS = "gdpr art. 17(1)(b)"


class Admin:
    """Everyone is the data protection officer."""

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator."""
        del metadata
        return Principal("dpo", "default", frozenset({"admin"}), "api_key")


async def run_of(service: Service, task: str = PERSON) -> Any:
    """A run that ended."""
    return await service.runs.Run(RunRequest(task=task))


async def exported(service: Service, run_id: str, export_format: str = "") -> tuple[str, bytes]:
    """Content type and bytes of an export."""
    request = messages.ExportRunRequest(run_id=run_id, format=export_format)
    pieces = [piece async for piece in service.ledger.ExportRun(request)]
    return pieces[0].content_type, b"".join(piece.data for piece in pieces)


async def test_a_diff_names_what_changed(service: Service) -> None:
    """A run equals itself; another one differs by its spend, node by node."""
    first, second = await run_of(service), await run_of(service)
    same = await service.runs.DiffRuns(DiffRunsRequest(run_a=first.run_id, run_b=first.run_id))
    assert (list(same.common), list(same.changed), same.token_delta) == (["researcher", "writer"], [], 0)

    blocked = await service.runs.Run(RunRequest(task="x", policy={"max_steps": 1}))
    diff = await service.runs.DiffRuns(DiffRunsRequest(run_a=second.run_id, run_b=blocked.run_id))
    (writer,) = diff.changed
    assert (writer.node_id, writer.verdict_a, writer.verdict_b) == ("writer", "committed", "denied")
    assert writer.HasField("output_a")
    assert not writer.HasField("output_b")
    assert diff.token_delta == blocked.total_tokens - second.total_tokens


async def test_an_export_holds_every_entry(service: Service) -> None:
    """As JSON by default and as CSV; an unknown format is refused by name."""
    run = await run_of(service)
    kind, data = await exported(service, run.run_id)
    assert kind == "application/json"
    assert [entry["hash"] for entry in json.loads(data)["entries"]][-1] == run.ledger_head.hash
    kind, data = await exported(service, run.run_id, "csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert kind.startswith("text/csv")
    assert (len(rows), rows[-1]["hash"]) == (run.ledger_entries, run.ledger_head.hash)

    stream = service.ledger.ExportRun(messages.ExportRunRequest(run_id=run.run_id, format="pdf"))
    refused = await failing(stream.read())
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["format"])


async def test_an_exported_bundle_verifies_offline(service: Service, tmp_path: Path) -> None:
    """At once after the run: the server signs a head that covers it first."""
    run = await run_of(service)
    kind, data = await exported(service, run.run_id, "evidence")
    assert kind == "application/x-tar"
    head = (await service.ledger.GetTreeHead(messages.GetTreeHeadRequest())).head
    bundle = tmp_path / "bundle.tar"
    bundle.write_bytes(data)
    report = verify_bundle(bundle, "\n".join(head.keys), expected_runs=[run.run_id])
    assert report.ok, report


async def test_an_admin_erases_a_run_and_the_chain_says_so(make_service: MakeService) -> None:
    """The texts are gone from every face; the chain is valid and says who, when and why; a second time changes nothing."""
    service: Service = await make_service(authenticator=Admin())
    run = await run_of(service)
    erased = await service.ledger.EraseRun(messages.EraseRunRequest(run_id=run.run_id, basis=BASIS))
    assert (erased.sequence, erased.payloads_erased > 0) == (run.ledger_entries + 1, True)

    verified = await service.ledger.VerifyRun(messages.VerifyRunRequest(run_id=run.run_id))
    assert (verified.valid, verified.ledger_head) == (True, erased.ledger_head)
    (erasure,) = verified.erasures
    assert (erasure.principal_id, erasure.basis, erasure.sequence) == ("dpo", BASIS, erased.sequence)
    shown = await service.runs.GetRun(GetRunRequest(run_id=run.run_id))
    entries = await service.ledger.ListEntries(messages.ListEntriesRequest(run_id=run.run_id))
    _, data = await exported(service, run.run_id)
    assert PERSON not in f"{shown}{entries}{data.decode()}"
    again = await service.ledger.EraseRun(messages.EraseRunRequest(run_id=run.run_id, basis="another"))
    assert (again.sequence, again.payloads_erased, again.ledger_head) == (erased.sequence, 0, erased.ledger_head)


async def test_an_erased_run_still_makes_valid_evidence(make_service: MakeService, tmp_path: Path) -> None:
    """The bundle says what was erased, by whom and why."""
    service: Service = await make_service(authenticator=Admin())
    run = await run_of(service)
    body = Struct()
    body.update({"basis": BASIS})
    await service.rest.EraseRunJson(RunBody(run_id=run.run_id, body=body))
    _, data = await exported(service, run.run_id, "evidence")
    head = (await service.ledger.GetTreeHead(messages.GetTreeHeadRequest())).head
    bundle = tmp_path / "bundle.tar"
    bundle.write_bytes(data)
    report = verify_bundle(bundle, "\n".join(head.keys), expected_runs=[run.run_id])
    assert report.ok, report
    assert BASIS in str(report)
    assert PERSON.encode() not in data


async def test_erasing_needs_the_admin_role_and_a_ground(make_service: MakeService, service: Service) -> None:
    """An operator may not; an admin must say why; a wrong key in the JSON body is named."""
    run = await run_of(service)
    refused = await failing(service.ledger.EraseRun(messages.EraseRunRequest(run_id=run.run_id, basis=BASIS)))
    assert refused.code is grpc.StatusCode.PERMISSION_DENIED

    admins: Service = await make_service(authenticator=Admin())
    run = await run_of(admins)
    silent = await failing(admins.ledger.EraseRun(messages.EraseRunRequest(run_id=run.run_id)))
    assert (silent.code, silent.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["basis"])
    body = Struct()
    body.update({"reason": "x"})
    wrong = await failing(admins.rest.EraseRunJson(RunBody(run_id=run.run_id, body=body)))
    assert wrong.fields == ["reason"]


async def test_another_tenants_run_is_not_found(make_service: MakeService) -> None:
    """By no RPC."""
    service: Service = await make_service(authenticator=Admin())
    await whole_run(service.world.runtime.storage, "run_theirs")
    run = await run_of(service)
    theirs = "run_theirs"
    for call in (
        service.ledger.ExportRun(messages.ExportRunRequest(run_id=theirs)).read(),
        service.ledger.EraseRun(messages.EraseRunRequest(run_id=theirs, basis=BASIS)),
        service.runs.DiffRuns(DiffRunsRequest(run_a=run.run_id, run_b=theirs)),
    ):
        assert (await failing(call)).code is grpc.StatusCode.NOT_FOUND


async def test_an_admin_deletes_a_run_and_the_log_says_so(make_service: MakeService) -> None:
    """Typed and as JSON: the run is not found any more, its tombstone verifies; a fork that holds copies is named or taken along."""
    service: Service = await make_service(authenticator=Admin())
    run = await run_of(service)
    fork = await service.runs.ForkRun(ForkRunRequest(run_id=run.run_id, before_node="writer", request_id="f"))
    again = await service.runs.ForkRun(ForkRunRequest(run_id=run.run_id, before_node="writer", request_id="f"))
    assert again.run_id == fork.run_id
    await service.runs.WaitRun(WaitRunRequest(run_id=fork.run_id, timeout_s=30))
    deleted = await service.ledger.EraseRun(messages.EraseRunRequest(run_id=run.run_id, basis=BASIS, mode="delete"))
    assert (deleted.entries_deleted, list(deleted.remaining_forks)) == (run.ledger_entries, [fork.run_id])
    gone = await failing(service.runs.GetRun(GetRunRequest(run_id=run.run_id)))
    assert gone.code is grpc.StatusCode.NOT_FOUND
    verified = await service.ledger.VerifyRun(messages.VerifyRunRequest(run_id=run.run_id))
    assert (verified.valid, verified.deletion.principal_id, verified.deletion.basis) == (True, "dpo", BASIS)
    assert verified.deletion.entries == run.ledger_entries

    body = Struct()
    body.update({"basis": BASIS, "mode": "delete", "includeForks": True})
    twin = await service.rest.EraseRunJson(RunBody(run_id=run.run_id, body=body))
    assert (twin.entries_deleted, list(twin.erased_forks)) == (0, [fork.run_id])
    assert (await failing(service.runs.GetRun(GetRunRequest(run_id=fork.run_id)))).code is grpc.StatusCode.NOT_FOUND


async def test_an_immutable_run_is_never_deleted(make_service: MakeService) -> None:
    """It is refused with a reason of its own, and anonymized all the same; a run that goes on has another reason."""
    service: Service = await make_service(authenticator=Admin())
    run = await service.runs.Run(RunRequest(task=PERSON, policy={"immutable_audit": True}))
    request = messages.EraseRunRequest(run_id=run.run_id, basis=BASIS, mode="delete")
    refused = await failing(service.ledger.EraseRun(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "RUN_IMMUTABLE")
    erased = await service.ledger.EraseRun(messages.EraseRunRequest(run_id=run.run_id, basis=BASIS))
    assert erased.payloads_erased > 0
    wrong = Struct()
    wrong.update({"basis": BASIS, "mode": 3, "include_forks": "yes"})
    told = await failing(service.rest.EraseRunJson(RunBody(run_id=run.run_id, body=wrong)))
    assert sorted(told.fields) == ["include_forks", "mode"]
