"""``meshflow ledger verify|head|prove|consistency|keygen|evidence`` and ``meshflow audit`` work on the files alone."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc import ReplayLedger, StepRecord
from meshflow_grpc.config.signing import key_file, write_key_file
from meshflow_grpc.ledger.checkpoint import open_checkpoint
from meshflow_grpc.ledger.note_key import VerifierKey, load_signing_key
from meshflow_grpc.ledger.proof_text import ConsistencyProof, InclusionProof
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import TENANT, create, step, whole_run
from tests.fakes.log_keys import KEY, publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]

OPTIONS = ("--tenant", TENANT, "--db")


async def _fill(path: Path) -> str:
    storage = await SqliteStorage.open(path)
    log = publisher(storage)
    await whole_run(storage, "run_a")
    first = await log.publish()
    await whole_run(storage, "run_b")
    await log.publish()
    await storage.close()
    return first.note


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two finished runs with a head after each, the development key, the trusted keys and the first head, kept."""
    path = tmp_path / "ledger.db"
    (tmp_path / "kept").write_text(asyncio.run(_fill(path)), encoding="utf-8")
    (tmp_path / "keys").write_text(f"# ours\n{KEY.verifier.vkey}\n", encoding="utf-8")
    write_key_file(tmp_path / "ledger.db.signing-key", KEY)
    return path


def trust(ledger: Path) -> tuple[str, str]:
    """The option that names the trusted keys."""
    return "--trust", str(ledger.parent / "keys")


def test_the_whole_ledger_is_verified_with_its_log(ledger: Path, meshflow: Meshflow) -> None:
    """All runs of all tenants, the log, and a head kept elsewhere."""
    kept = str(ledger.parent / "kept")
    finished = meshflow("ledger", "verify", "--db", str(ledger), *trust(ledger), "--head", kept)
    assert finished.code == 0, finished.out + finished.err
    assert "log: valid, 10 entries, 3 heads, signatures verified" in finished.out
    log = json.loads(meshflow("ledger", "verify", "--db", str(ledger), "-o", "json").out)[-1]
    assert (log["log"], log["valid"], log["signatures_checked"], log["head"]["size"]) == (True, True, True, 10)


def test_a_deleted_run_is_found_and_named(ledger: Path, meshflow: Meshflow) -> None:
    """Exit code 6, and the gap."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("DELETE FROM ledger_entries WHERE run_id = 'run_a'")
        connection.execute("DELETE FROM runs WHERE run_id = 'run_a'")
    finished = meshflow("ledger", "verify", "--db", str(ledger))
    assert finished.code == 6
    assert "seq 1 to 5 was deleted" in finished.out


def test_a_head_of_another_key_and_unusable_options_are_2(ledger: Path, meshflow: Meshflow, tmp_path: Path) -> None:
    """What the auditor gave is wrong, not the ledger."""
    kept, db = str(ledger.parent / "kept"), str(ledger)
    (tmp_path / "none").write_text("# no key\n", encoding="utf-8")
    assert meshflow("ledger", "verify", "--db", db, "--trust", str(tmp_path / "none")).code == 2
    assert meshflow("ledger", "verify", "run_a", *OPTIONS, db, "--head", kept).code == 2
    (tmp_path / "other").write_text("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n")
    assert meshflow("ledger", "verify", "--db", db, "--trust", str(tmp_path / "other"), "--head", kept).code == 2
    ledger.with_name("ledger.db.signing-key").unlink()
    assert meshflow("ledger", "verify", "--db", db, "--head", kept).code == 2


def test_head_prove_and_consistency_print_what_others_verify(ledger: Path, meshflow: Meshflow) -> None:
    """A signed note, a tlog-proof and a consistency proof."""
    db = str(ledger)
    note = meshflow("ledger", "head", "--db", db).out
    assert open_checkpoint(note, [KEY.verifier]).checkpoint.size == 10
    assert json.loads(meshflow("ledger", "head", "--db", db, "-o", "json").out)[0]["checkpoint"] == note
    proof = InclusionProof.parse(meshflow("ledger", "prove", "run_b", "2", *OPTIONS, db).out)
    assert (proof.index, proof.checkpoint) == (6, note)
    assert ConsistencyProof.parse(meshflow("ledger", "consistency", "5", "--db", db).out).old_size == 5
    assert meshflow("ledger", "prove", "run_b", "99", *OPTIONS, db).code == 6
    assert meshflow("ledger", "consistency", "11", "--db", db).code == 2


def test_a_new_key_is_readable_by_its_owner_alone(tmp_path: Path, meshflow: Meshflow) -> None:
    """The public half is printed; a file that exists is never replaced."""
    file = tmp_path / "key"
    finished = meshflow("ledger", "keygen", "log.example.org/acme", str(file))
    assert finished.code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = load_signing_key(file.read_text())
    assert VerifierKey.parse(finished.out.strip()) == key.verifier
    assert meshflow("ledger", "keygen", "log.example.org/acme", str(file)).code == 2
    assert load_signing_key(file.read_text()).key_id == key.key_id


def test_an_exported_bundle_is_verified_without_the_ledger(ledger: Path, meshflow: Meshflow) -> None:
    """All but the policy, which these drafts only name, holds; a changed byte is 6, keys that are not there 2."""
    bundle = ledger.parent / "bundle.tar"
    finished = meshflow("ledger", "evidence", "run_a", "run_b", "--out", str(bundle), *OPTIONS, str(ledger))
    assert finished.code == 0, finished.err
    ledger.unlink()
    verified = meshflow("audit", "verify", str(bundle), *trust(bundle), "--run", "run_a")
    checks = [line.split()[1:3] for line in verified.out.splitlines()[:12]]
    assert [name for name, verdict in checks if verdict == "FAILED"] == ["policies"], verified.out
    assert ["heads", "ok"] in checks
    assert ["inclusion", "ok"] in checks
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    assert meshflow("audit", "verify", str(bundle), *trust(bundle)).code == 6
    assert meshflow("audit", "verify", str(bundle), "--trust", str(bundle.parent / "nothing")).code == 2


def test_a_run_recorded_by_hand_is_evidence_too(ledger: Path, meshflow: Meshflow) -> None:
    """It names no policy, and the verifier says that none was kept."""
    asyncio.run(_record(ledger))
    bundle = ledger.parent / "bundle.tar"
    assert meshflow("ledger", "evidence", "by-hand", "--out", str(bundle), *OPTIONS, str(ledger)).code == 0
    verified = meshflow("audit", "verify", str(bundle), *trust(bundle))
    assert verified.code == 0, verified.out
    assert "that any policy was kept in runs that a program recorded by hand: by-hand" in verified.out


async def _record(path: Path) -> None:
    async with ReplayLedger(str(path), tenant_id=TENANT) as replay:
        await replay.write(StepRecord("by-hand", "node", output="said"))
    storage = await SqliteStorage.open(path)
    await publisher(storage).publish()
    await storage.close()


def test_bundles_of_peers_are_given_as_files_and_missed_by_name(ledger: Path, meshflow: Meshflow) -> None:
    """Without it the run at the peer is named; with it it lies in the bundle as it is; a bundle of nobody's run is refused."""
    asyncio.run(_ask_a_peer(ledger))
    options = (*OPTIONS, str(ledger))
    alone, both, theirs = (str(ledger.parent / name) for name in ("alone.tar", "both.tar", "theirs.tar"))
    written = meshflow("ledger", "evidence", "run_c", "--out", alone, *options)
    assert written.code == 0, written.err
    assert "left out: what build.ai did in its run run_b" in written.err
    assert meshflow("ledger", "evidence", "run_b", "--out", theirs, *options).code == 0
    written = meshflow("ledger", "evidence", "run_c", "--out", both, "--peer", theirs, *options)
    assert written.code == 0, written.err
    assert "left out" not in written.err
    assert b"peers/run_b.tar" in Path(both).read_bytes()
    assert Path(theirs).read_bytes() in Path(both).read_bytes()
    refused = meshflow("ledger", "evidence", "run_a", "--out", alone + "2", "--peer", theirs, *options)
    assert refused.code == 2
    assert "is of no run that a peer made" in refused.err


async def _ask_a_peer(path: Path) -> None:
    storage = await SqliteStorage.open(path)
    await create(storage, "run_c")
    facts = {"peer": {"run_id": "run_b", "slug": "build.ai"}}
    await storage.append("run_c", (step("run_c", 1)._replace(facts=facts),), None)
    await publisher(storage).publish()
    await storage.close()


def test_the_key_of_a_ledger_lies_beside_it() -> None:
    """For a path and for its URL; that of a database lies in the data directory, a ledger in memory has none."""
    data = Path("data")
    for ledger in ("a/ledger.db", "sqlite:///a/ledger.db"):
        assert key_file(ledger, data) == Path("a/ledger.db.signing-key")
    assert key_file("postgresql://db/ledger", data) == Path("data/meshflow.signing-key")
    assert key_file("memory:", data) is None
