"""Whatever is changed in a bundle is found, also when the forger fits the manifest to it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.audit.command import report_text
from meshflow_grpc.audit.report import Check
from meshflow_grpc.ledger.canonical import encode
from meshflow_grpc.ledger.chain import entry_hash
from meshflow_grpc.ledger.deterministic_tar import tar_chunks
from tests.unit.audit.bundles import OTHER_KEY, bundle, erase, sample_log
from tests.unit.audit.tampering import found, lines, packed, unpacked, verified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFORMAL = {"README.txt", "keys.txt", "manifest.json"}


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flip_of_any_byte_of_any_file_is_reported(tmp_path: Path, stride: int) -> None:
    """Every byte (in the fast variant every ninth) of every file in a small bundle."""
    data = bundle(sample_log(runs=1, steps=0).evidence(heads=[1]))
    missed = []
    for name, content in unpacked(data).items():
        start = data.index(content, data.index(name.encode()) + 512)
        for place in range(start, start + len(content), stride):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            if verified(tmp_path, bytes(changed)).ok:
                missed.append((name, place - start))
    assert missed == []


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flip_of_any_byte_is_found_behind_a_fitting_manifest(tmp_path: Path, stride: int) -> None:
    """What the manifest's hashes would show is found by what the bytes mean, in every file that proves something."""
    files = unpacked(bundle(sample_log(runs=1, steps=0).evidence(heads=[1])))
    missed = []
    for name in sorted(files.keys() - INFORMAL):
        for place in range(0, len(files[name]), stride):
            changed = bytearray(files[name])
            changed[place] ^= 1 << place % 7
            if verified(tmp_path, packed(files | {name: bytes(changed)})).ok:
                missed.append((name, place, files[name][max(0, place - 20) : place + 20]))
    assert missed == []


def test_a_flip_in_the_archives_own_bytes_is_reported(tmp_path: Path) -> None:
    """Headers, padding and end: nothing in the file is without meaning."""
    data = bundle(sample_log(runs=1, steps=0).evidence())
    for place in [*range(0, 512, 3), *range(len(data) - 1024, len(data), 17), data.index(b"README.txt") + 512 + 1300]:
        changed = bytearray(data)
        changed[place] ^= 4
        assert not verified(tmp_path, bytes(changed)).ok, place
    for cut in (data[:-1], data[:512], b"", data + b"\0", b"not a tar" * 500):
        assert not verified(tmp_path, cut).ok


@pytest.mark.parametrize("whole", [False, True])
def test_two_swapped_records_are_found(tmp_path: Path, whole: bool) -> None:
    """Within a run by its chain, between runs by the log's root."""
    files = unpacked(bundle(sample_log().evidence("run_1", whole=whole)))
    rows = lines(files["records.jsonl"])
    rows[1], rows[2] = rows[2], rows[1]
    report = verified(tmp_path, packed(files | {"records.jsonl": b"".join(rows)}))

    assert not report.ok
    assert ("first 12 records do not have this root" if whole else "[4] records.jsonl:2 run run_1 entry 3") in found(
        report
    )


@pytest.mark.parametrize("dropped", [0, 1, 2, 3])
def test_a_dropped_record_is_found_and_its_place_named(tmp_path: Path, dropped: int) -> None:
    """First, middle or last of a run, with all that belongs to it removed elsewhere."""
    files = unpacked(bundle(sample_log(runs=2).evidence("run_1")))
    rows = lines(files["records.jsonl"])
    del rows[dropped]
    payloads = b"".join(line for line in lines(files["payloads.jsonl"]) if json.loads(line)["sequence"] != dropped + 1)
    report = verified(
        tmp_path, packed(files | {"records.jsonl": b"".join(rows), "payloads.jsonl": payloads}, entries=len(rows))
    )

    assert not report.ok
    assert f"entry {dropped + 1} is missing" in found(report) or "run_1" in found(report)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_last_entries_of_an_ended_run_cannot_be_dropped(tmp_path: Path, count: int) -> None:
    """Though the forger fits the run's row to what is left, its last entry is under no head."""
    log = sample_log(runs=2)
    files = unpacked(bundle(log.evidence("run_1")))
    rows = lines(files["records.jsonl"])[:-count]
    last = json.loads(rows[-1])
    run = json.loads(files["runs.jsonl"])
    run |= {"entries": len(rows), "head_hash": entry_hash(rows[-1][:-1]), "update_time": last["time"]}
    payloads = b"".join(line for line in lines(files["payloads.jsonl"]) if json.loads(line)["sequence"] <= len(rows))
    forged = files | {"records.jsonl": b"".join(rows), "runs.jsonl": encode(run) + b"\n", "payloads.jsonl": payloads}
    report = verified(tmp_path, packed(forged, entries=len(rows)))

    assert {finding.check for finding in report.findings} >= {Check.INCLUSION, Check.RUNS}


def test_a_dropped_run_is_found_in_a_bundle_of_the_whole_log(tmp_path: Path) -> None:
    """The records no longer have the head's root. In a bundle of runs it is found when the auditor names it."""
    log = sample_log()
    for whole in (True, False):
        files = unpacked(bundle(log.evidence(whole=whole)))
        forged = {
            name: b"".join(line for line in lines(files[name]) if b'"run_2"' not in line)
            for name in ("records.jsonl", "payloads.jsonl", "runs.jsonl")
        }
        rest = {name: content for name, content in files.items() if b"run_2" not in _extra(name, content)}
        data = packed(rest | forged, entries=8, runs=["run_1", "run_3"])
        report = verified(tmp_path, data, expected_runs=["run_2"])
        assert "run run_2: the run you expect is not in the bundle" in found(report)
        assert (Check.INCLUSION in {finding.check for finding in report.findings}) is whole


def _extra(name: str, content: bytes) -> bytes:
    return base64.b64decode(content.split(b"\n")[1][6:]) if name.startswith("proofs/") else b""


@pytest.mark.parametrize("whole", [False, True])
def test_a_rewritten_run_is_found_though_its_chain_is_valid(tmp_path: Path, whole: bool) -> None:
    """A forger who recomputes every hash after the change cannot have it signed."""
    log = sample_log()
    honest = log.evidence("run_1", whole=whole)
    prev, entries, head = "0" * 64, [], ""
    for row in honest.entries:
        if row.run_id == "run_1":
            record: Any = json.loads(bytes(row.record)) | {"prev_hash": prev}  # type: ignore[call-overload]
            if row.sequence == 2:
                record["facts"]["decision"] = "deny"
            data = encode(record)
            head = prev = entry_hash(data)
            entries.append(row._replace(record=data))
        else:
            entries.append(row)
    runs = [row._replace(head_hash=head) if row.run_id == "run_1" else row for row in honest.runs]
    report = verified(tmp_path, bundle(replace(honest, entries=entries, runs=runs)))

    assert {finding.check for finding in report.findings} == {Check.INCLUSION}


def test_a_changed_payload_is_named(tmp_path: Path) -> None:
    """By file, run, entry and field."""
    files = unpacked(bundle(sample_log().evidence()))
    changed = files["payloads.jsonl"].replace("é2".encode(), "é3".encode(), 1)
    assert changed != files["payloads.jsonl"]
    report = verified(tmp_path, packed(files | {"payloads.jsonl": changed}))

    assert found(report) == (
        "[5] payloads.jsonl run run_1 entry 3 output: salt and payload do not match the commitment in the record"
    )


def test_a_payload_that_is_gone_without_an_erasure_is_found(tmp_path: Path) -> None:
    """And so is one that an erasure names and that is still here."""
    log = sample_log()
    log.entries[0] = log.entries[0]._replace(input=None, input_salt=None)
    assert "[6] payloads.jsonl run run_1 entry 1 input: is erased, and no erasure entry says so" in found(
        verified(tmp_path, bundle(log.evidence()))
    )
    log = sample_log()
    erase(log, "run_1", 3, ["input"], delete=False)
    assert "run run_1 entry 1 input: entry 6 says it was erased, but it is present" in found(
        verified(tmp_path, bundle(log.evidence()))
    )


def test_a_missing_payload_line_is_found(tmp_path: Path) -> None:
    """A commitment without any line, and a line without a commitment."""
    files = unpacked(bundle(sample_log().evidence("run_1")))
    rows = lines(files["payloads.jsonl"])
    missing = verified(tmp_path, packed(files | {"payloads.jsonl": b"".join(rows[1:])}))
    doubled = verified(tmp_path, packed(files | {"payloads.jsonl": b"".join([*rows, rows[0]])}))
    stray = rows[0].replace(b'"sequence":1', b'"sequence":77')
    added = verified(tmp_path, packed(files | {"payloads.jsonl": b"".join([*rows, stray])}))

    assert "entry 1 input: the record commits to a payload, and there is none here" in found(missing)
    assert "entry 1 input: is there twice" in found(doubled)
    assert "entry 77 input: no record of the bundle has this payload" in found(added)


def test_a_head_signed_by_nobody_the_auditor_trusts_is_refused(tmp_path: Path) -> None:
    """keys.txt in the bundle convinces nobody."""
    log = sample_log()
    honest = log.evidence()
    size = len(log.entries)
    forged = log.checkpoint(size, OTHER_KEY)
    proofs = [replace(p, proof=replace(p.proof, checkpoint=forged)) for p in honest.proofs]
    evidence = replace(honest, checkpoints=[forged], proofs=proofs, keys=[OTHER_KEY.verifier])
    report = verified(tmp_path, bundle(evidence))

    assert "is not signed by a trusted key" in found(report)


def test_a_bundle_older_than_a_head_the_auditor_kept_is_refused(tmp_path: Path) -> None:
    """A rollback: the old bundle is in order, but the log was longer already."""
    log = sample_log()
    old = bundle(replace(sample_log()).evidence())
    erase(log, "run_1", 5, ["input", "output"])
    report = verified(tmp_path, old, trusted_head=log.checkpoint(len(log.entries)))

    assert found(report) == ("[12] trusted head: the bundle's newest head is over 12 entries, older than yours over 13")


def test_a_rewritten_log_signed_with_the_right_key_is_refused_by_a_kept_head(tmp_path: Path) -> None:
    """Whoever holds the key can sign another history, but cannot tie it to the head that was given out."""
    log, other = sample_log(), sample_log(runs=4)
    for size in (5, len(other.entries)):
        for whole in (True, False):
            data = bundle(other.evidence(heads=[5], whole=whole))
            report = verified(tmp_path, data, trusted_head=log.checkpoint(min(size, len(log.entries))))
            assert Check.CONSISTENCY in {finding.check for finding in report.findings}


def test_a_head_that_is_tied_to_nothing_is_refused(tmp_path: Path) -> None:
    """Every head of the bundle must be a prefix of the newest."""
    evidence = replace(sample_log().evidence(heads=[4]), consistency=())
    report = verified(tmp_path, bundle(evidence))

    assert "[12] checkpoints/000000000004.txt: nothing shows that the log of 4 entries is a prefix" in found(report)


def test_another_policy_under_the_same_name_is_found(tmp_path: Path) -> None:
    """The digest is recomputed, and every digest that a record names must be there."""
    files = unpacked(bundle(sample_log().evidence()))
    name = next(name for name in files if name.startswith("policies/"))
    changed = files[name].replace(b'"budget_usd":0.5', b'"budget_usd":5.5')
    missing = {other: content for other, content in files.items() if other != name}

    assert "its digest is" in found(verified(tmp_path, packed(files | {name: changed})))
    assert "is not in policies/" in found(verified(tmp_path, packed(missing)))


def test_an_approval_that_was_not_given_is_found(tmp_path: Path) -> None:
    """Changed, left out or made up."""
    files = unpacked(bundle(sample_log().evidence()))
    changed = files["approvals.jsonl"].replace(b"approve", b"decline")
    made_up = files["approvals.jsonl"].replace(b'"sequence":4', b'"sequence":2') + files["approvals.jsonl"]

    assert "differs from its record" in found(verified(tmp_path, packed(files | {"approvals.jsonl": changed})))
    assert "a decision is left out" in found(verified(tmp_path, packed(files | {"approvals.jsonl": b""})))
    assert "is not the copy of a gate_decided record" in found(
        verified(tmp_path, packed(files | {"approvals.jsonl": made_up}))
    )


JUNK: tuple[Any, ...] = (None, True, 0, -1, 2**53 - 1, "x", "\u001b[2J", [], {}, [{}], {"first": {}})


def variants(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with each field, and each field of a field, left out or replaced by something else."""
    for key, value in document.items():
        yield {name: item for name, item in document.items() if name != key}
        yield from ({**document, key: junk} for junk in JUNK if encode(junk) != encode(value))
        if isinstance(value, dict):
            yield from ({**document, key: inner} for inner in variants(value))


@pytest.mark.parametrize("name", ["records.jsonl", "payloads.jsonl", "runs.jsonl", "approvals.jsonl"])
def test_values_of_any_other_type_are_reported_and_crash_nothing(tmp_path: Path, name: str) -> None:
    """Each field of a line, replaced by something that no writer makes: refused, never an exception, and printable."""
    log = sample_log(runs=1, steps=0)
    erase(log, "run_1", 1, ["input"])
    files = unpacked(bundle(log.evidence()))
    rows = lines(files[name])
    for number in {0, len(rows) - 1}:
        for variant in variants(json.loads(rows[number])):
            changed = [*rows[:number], encode(variant) + b"\n", *rows[number + 1 :]]
            report = verified(tmp_path, packed(files | {name: b"".join(changed)}))
            assert not report.ok, variant
            assert "\u001b" not in report_text(report)


def test_a_manifest_of_any_other_content_is_reported_and_crashes_nothing(tmp_path: Path) -> None:
    """Each of its fields is recomputed."""
    files = unpacked(bundle(sample_log(runs=1, steps=0).evidence()))
    for variant in variants(json.loads(files["manifest.json"])):
        data = b"".join(tar_chunks(files | {"manifest.json": encode(variant) + b"\n"}))
        assert not verified(tmp_path, data).ok, variant
