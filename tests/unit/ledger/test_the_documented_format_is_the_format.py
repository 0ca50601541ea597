"""docs/ledger-format.md is enough to verify a chain: its test vectors are checked by a second, independent implementation."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from meshflow_grpc.domain.stored_row import EntryRow, RunRow
from meshflow_grpc.ledger.verify import verify_chain
from tests.unit.ledger.chains import chain

PAGE = Path(__file__).parents[3] / "docs" / "ledger-format.md"


def vectors() -> dict[str, Any]:
    """Returns the test vectors of the page: its first JSON block; the second is a fork."""
    _, block, _ = PAGE.read_text(encoding="utf-8").split("```json\n")
    vectors: dict[str, Any] = json.loads(block.split("\n```")[0])
    return vectors


def length(data: bytes) -> bytes:
    """Eight bytes, big-endian, as the page says."""
    return len(data).to_bytes(8, "big")


def commitment(entry: dict[str, Any], name: str, salt: str, payload: str) -> str:
    """Computes a commitment as the page says, by nothing but the standard library."""
    record = json.loads(entry["record"])
    fields = (record["tenant_id"], record["run_id"], str(record["sequence"]), name)
    parts = [*(field.encode() for field in fields), bytes.fromhex(salt), payload.encode()]
    return sha256(b"meshflow/v1/payload\0" + b"".join(length(part) + part for part in parts)).hexdigest()


def test_a_second_implementation_agrees_with_the_vectors() -> None:
    """Hashes, links, canonical form and commitments of the vectors follow from the page's text alone."""
    prev_hash, checked = "0" * 64, 0
    for place, entry in enumerate(vectors()["entries"], start=1):
        data = entry["record"].encode()
        record = json.loads(data)
        assert json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == data
        assert sha256(b"meshflow/v1/chain\0" + length(data) + data).hexdigest() == entry["hash"]
        assert (record["sequence"], record["prev_hash"]) == (place, prev_hash)
        prev_hash = entry["hash"]
        for name in ("input", "output"):
            if entry[name] is None:
                assert record[name] is None
            else:
                assert commitment(entry, name, entry[f"{name}_salt"], entry[name]) == record[name]
                checked += 1
    assert checked == 4
    run = vectors()["run"]
    assert (run["entries"], run["head_hash"]) == (len(vectors()["entries"]), prev_hash)


def test_the_runs_row_follows_from_the_vectors() -> None:
    """The commitments to the run's header, output and reason are those the page describes."""
    first, last, run = vectors()["entries"][0], vectors()["entries"][-1], vectors()["run"]
    columns = ("workflow", "policy_digest", "policy", "create_time", "principal_id", "session_id", "request_id")
    header = [run[name] for name in (*columns, "request_fingerprint", "labels")]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(first["record"])["change"]["header"] == commitment(first, "run_header", run["header_salt"], text)
    told = json.loads(last["record"])["change"]
    assert told["output"] == commitment(last, "run_output", run["output_salt"], run["output"])
    assert told["reason"] == commitment(last, "run_reason", run["reason_salt"], run["reason"])


def test_the_product_accepts_the_vectors() -> None:
    """The vectors are a valid chain to the product."""
    entries = [EntryRow(**{**entry, "record": entry["record"].encode()}) for entry in vectors()["entries"]]
    result = verify_chain("run_1", entries, RunRow(**vectors()["run"]))
    assert result, result.faults


def test_the_product_writes_the_vectors() -> None:
    """The same commands and salts give the same bytes: the format did not change unnoticed."""
    rows, run = chain(steps=1)
    written = [{**row._asdict(), "record": row.record.decode()} for row in rows]  # type: ignore[attr-defined]
    assert {"entries": written, "run": run._asdict()} == vectors()
