"""Bundles of honest logs are verified, without a false alarm, and say what they prove."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import InvalidRequestError
from tests.unit.audit.bundles import bundle, erase, sample_log
from tests.unit.audit.tampering import found, unpacked, verified

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("whole", [False, True])
def test_every_check_is_made_and_passes(tmp_path: Path, whole: bool) -> None:
    """Of selected runs and of the whole log."""
    report = verified(tmp_path, bundle(sample_log().evidence(heads=[2, 7], whole=whole)))

    assert found(report) == ""
    assert report.ok
    assert [(result.check.value, result.passed) for result in report.checks] == [(n, True) for n in range(1, 14)]
    assert report.counts["entries"] == 12
    assert report.counts["payloads_present"] == 21
    assert any("nothing is missing" in line for line in report.proved) is whole


def test_the_same_evidence_gives_the_same_bytes() -> None:
    """A bundle depends on nothing but what is in it."""
    assert bundle(sample_log().evidence()) == bundle(sample_log().evidence())


def test_one_run_is_verified_without_the_others(tmp_path: Path) -> None:
    """And the report says that it knows nothing of other runs, and that a running one may go on."""
    report = verified(tmp_path, bundle(sample_log().evidence("run_3")))

    assert report.ok
    assert report.counts["runs"] == 1
    assert any("not ended: run_3" in line for line in report.not_proved)


def test_erased_payloads_are_accepted_with_who_when_and_why(tmp_path: Path) -> None:
    """Payloads, and the run's output, that an erasure entry names may be gone; they are counted."""
    log = sample_log()
    erase(log, "run_1", 5, ["input", "output", "run_output"])
    report = verified(tmp_path, bundle(log.evidence(heads=[4])))

    assert found(report) == ""
    assert report.ok
    assert report.counts["payloads_erased"] == 9
    assert "entries 1 to 5 erased at 2026-01-02T03:00:55.000Z by p-dpo, because: GDPR" in report.erased[0]
    assert any("9 erased payloads" in line for line in report.not_proved)


def test_an_erased_persons_text_is_in_no_file_of_the_bundle() -> None:
    """Nothing but the commitments is left."""
    log = sample_log(runs=1)
    assert b"Ada Lovelace" in bundle(log.evidence())
    erase(log, "run_1", 5, ["input", "output"])

    assert b"Ada Lovelace" not in bundle(log.evidence())


def test_withheld_payloads_are_counted_and_their_text_left_out(tmp_path: Path) -> None:
    """A recipient may verify records without reading payloads."""
    data = bundle(sample_log().evidence(with_payloads=False))
    report = verified(tmp_path, data)

    assert report.ok
    assert report.counts["payloads_withheld"] == 21
    assert b"Ada Lovelace" not in data
    assert "done: é".encode() not in data


def test_an_older_head_that_the_auditor_kept_is_tied_to_the_bundle(tmp_path: Path) -> None:
    """By a consistency proof in a bundle of runs, by the records themselves in one of the whole log."""
    log = sample_log()
    for evidence in (log.evidence("run_1", heads=[5]), log.evidence(whole=True)):
        report = verified(tmp_path, bundle(evidence), trusted_head=log.checkpoint(5))
        assert found(report) == ""
        assert report.ok
        assert any("5 entries under the head you brought" in line for line in report.proved)


def test_the_files_are_those_of_the_documentation() -> None:
    """Every file has its place, and standard tools can read the archive."""
    assert sorted(unpacked(bundle(sample_log().evidence(heads=[4])))) == [
        "README.txt",
        "approvals.jsonl",
        "checkpoints/000000000004.txt",
        "checkpoints/000000000012.txt",
        "consistency/000000000004-000000000012.txt",
        "keys.txt",
        "manifest.json",
        "payloads.jsonl",
        "policies/" + str(sample_log().runs["run_1"].policy_digest) + ".json",
        "proofs/000000000008.tlog-proof",
        "proofs/000000000010.tlog-proof",
        "proofs/000000000011.tlog-proof",
        "records.jsonl",
        "runs.jsonl",
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"proofs": ()}, "proofs"),
        ({"checkpoints": ()}, "checkpoints"),
        ({"runs": ()}, "runs"),
        ({"origin": "another.example.org"}, "checkpoints"),
    ],
)
def test_evidence_that_no_auditor_could_verify_is_refused(change: dict[str, object], field: str) -> None:
    """The exporter is told what is missing, instead of making a bundle that fails later."""
    with pytest.raises(InvalidRequestError, match=field):
        bundle(replace(sample_log().evidence(), **change))  # type: ignore[arg-type]
