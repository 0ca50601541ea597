"""The evidence of a run holds that of its peers, and is verified as one, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshflow_grpc.audit.report import Check, Report
from meshflow_grpc.audit.verifier import verify_bundle
from meshflow_grpc.commands.export_evidence import export_evidence
from meshflow_grpc.commands.peer_evidence import given_evidence, peer_runs
from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.mesh.call_channels import NoCredentials
from meshflow_grpc.mesh.peer_client import GrpcPeerClient
from meshflow_grpc.ports.mesh import MeshAccess
from tests.service.conftest import MakeService, Service
from tests.service.mesh_world import Listed, caller, node_of
from tests.service.test_peers_over_grpc import FLOW, peer_of, put, runs_at
from tests.unit.engine.conftest import ALICE, World


def keys_of(*worlds: World) -> str:
    """The public keys of their logs."""
    return "".join(f"{key.vkey}\n" for world in worlds for key in world.runtime.log.keys.verifiers)


async def exported(world: World, run_id: str) -> bytes:
    """As a client gets it."""
    return (await world.runtime.commands.export_run.execute(ALICE, run_id, export_format="evidence")).data


def verified(data: bytes, keys: str, place: Path) -> Report:
    """As an auditor does."""
    bundle = place / "bundle.tar"
    bundle.write_bytes(data)
    return verify_bundle(bundle, keys)


async def a_run_at(peer: Service, world: World) -> Run:
    """One run that spans both."""
    run = await world.run(workflow_yaml=FLOW % ", risk: external_io")
    assert run.status is RunStatus.COMPLETED
    assert peer.port
    return run


async def test_both_ledgers_are_verified_from_one_bundle(make_service: MakeService, tmp_path: Path) -> None:
    """The entry that the caller recorded is in the peer's bundle, under the head that the caller recorded."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", peer)) as world:
        run = await a_run_at(peer, world)
        data = await exported(world, run.run_id)
    report = verified(data, keys_of(world, peer.world), tmp_path)

    assert [finding.text() for finding in report.findings] == []
    assert report.ok
    assert (report.counts["peer_runs"], report.counts["peer_bundles"]) == (1, 1)
    assert any("runs at peers" in line for line in report.proved)


async def test_a_bundle_in_a_bundle_in_a_bundle(make_service: MakeService, tmp_path: Path) -> None:
    """A peer that handed the work on brings its own peer's evidence."""
    last = await peer_of(make_service, "{role: BUILDER}")
    client = GrpcPeerClient(NoCredentials())
    handing_on = MeshAccess(Listed([node_of("marco.ai", last)]), client)
    middle: Service = await make_service(mesh=handing_on)
    await put(middle, FLOW.replace("name: w", "name: job") % "")
    async with caller(node_of("build.ai", middle)) as world:
        run = await a_run_at(middle, world)
        data = await exported(world, run.run_id)
    await client.close()
    (there,) = await runs_at(last)
    report = verified(data, keys_of(world, middle.world, last.world), tmp_path)

    assert report.ok
    assert f"peers/{there.run_id}.tar".encode() in data
    assert there.labels["mesh_depth"] == "2"
    assert not verified(data, keys_of(world, middle.world), tmp_path).ok


async def test_a_peer_whose_key_is_not_trusted_is_not_believed(make_service: MakeService, tmp_path: Path) -> None:
    """Trust in the caller is no trust in its peers."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", peer)) as world:
        run = await a_run_at(peer, world)
        data = await exported(world, run.run_id)
    report = verified(data, keys_of(world), tmp_path)

    assert {finding.check for finding in report.findings} == {Check.PEERS}
    assert any("trusted key" in finding.message for finding in report.findings)


@pytest.mark.parametrize("swap", ["another run", "a damaged file", "nobody's run"])
async def test_a_peers_bundle_that_was_exchanged_is_found(make_service: MakeService, tmp_path: Path, swap: str) -> None:
    """Another run's, one that was damaged, and one that no record names."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", peer)) as world:
        run = await a_run_at(peer, world)
        await a_run_at(peer, world)
        second, first = await runs_at(peer)
        true = await peer_bundle(peer, first.run_id)
        wrong = {
            "another run": {first.run_id: await peer_bundle(peer, second.run_id)},
            "a damaged file": {first.run_id: true.replace(b"BUILDER", b"BUILDEN")},
            "nobody's run": {first.run_id: true, "run_x": true},
        }[swap]
        keys = world.runtime.log.keys.verifiers
        await world.runtime.log.publish()
        data = await export_evidence(world.storage, "acme", [run.run_id], keys, "by a forger", peers=wrong)
    report = verified(data, keys_of(world, peer.world), tmp_path)

    assert not report.ok
    assert {finding.check for finding in report.findings} == {Check.PEERS}


async def test_a_bundle_that_the_peer_exported_itself_is_as_good(make_service: MakeService, tmp_path: Path) -> None:
    """Given by hand where the ledger is read without a server; one of another run is refused."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", peer)) as world:
        run = await a_run_at(peer, world)
        await a_run_at(peer, world)
        other, there = await runs_at(peer)
        theirs, anothers = [await peer_bundle(peer, each.run_id) for each in (there, other)]
        wanted = peer_runs(await run_entries(world.storage, "acme", run.run_id))
        given = given_evidence({"theirs.tar": theirs}, wanted)
        keys = world.runtime.log.keys.verifiers
        await world.runtime.log.publish()
        data = await export_evidence(world.storage, "acme", [run.run_id], keys, "by hand", peers=given)
    report = verified(data, keys_of(world, peer.world), tmp_path)

    assert wanted == {there.run_id: "build.ai"}
    assert report.ok
    assert report.counts["peer_bundles"] == 1
    for wrong in (anothers, b"no bundle"):
        with pytest.raises(InvalidRequestError):
            given_evidence({"theirs.tar": wrong}, wanted)


async def peer_bundle(peer: Service, run_id: str) -> bytes:
    """A run's bundle, of the peer itself."""
    log = peer.world.runtime.log
    await log.publish()
    return await export_evidence(peer.world.storage, "default", [run_id], log.keys.verifiers, "by the peer")


async def test_a_peer_that_is_gone_is_said_to_be_missing(make_service: MakeService, tmp_path: Path) -> None:
    """The rest is proved."""
    peer = await peer_of(make_service, "{role: BUILDER}")
    async with caller(node_of("build.ai", peer)) as world:
        run = await a_run_at(peer, world)
        await peer.server.stop(0)
        data = await exported(world, run.run_id)
    report = verified(data, keys_of(world), tmp_path)

    assert report.ok
    assert any("what build.ai did in run" in line for line in report.not_proved)
