"""docs/ledger-format.md is enough to verify a fork against its parent: its vector is checked by nothing but the page's text."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from meshflow_grpc.domain.ledger_entry import GENESIS_HASH
from tests.unit.ledger.forks import forked

PAGE = Path(__file__).parents[3] / "docs" / "ledger-format.md"
SHOWN = ("sequence", "kind", "node_id", "hash", "record", "input", "input_salt", "output")


def shown(entry: Any) -> dict[str, Any]:
    """The columns of an entry that the page shows."""
    return {name: value.decode() if isinstance(value := getattr(entry, name), bytes) else value for name in SHOWN}


def vector() -> dict[str, Any]:
    """The page's last JSON block."""
    block = PAGE.read_text(encoding="utf-8").split("```json\n")[-1].split("\n```")[0]
    found: dict[str, Any] = json.loads(block)
    return found


def length(data: bytes) -> bytes:
    """Eight bytes, big-endian."""
    return len(data).to_bytes(8, "big")


def test_the_vector_verifies_by_the_page_alone() -> None:
    """The fork's chain is its own; what it says of its parent, and each inherited output, is what the parent's entries hold."""
    fork, parent = vector()["fork"], {entry["sequence"]: entry for entry in vector()["parent"]}
    for entry in (*parent.values(), fork):
        data = entry["record"].encode()
        assert sha256(b"meshflow/v1/chain\0" + length(data) + data).hexdigest() == entry["hash"]
    record, payload = json.loads(fork["record"]), json.loads(fork["input"])
    origin = record["facts"]["forked_from"]
    assert record["prev_hash"] == GENESIS_HASH
    assert origin["hash"] == parent[origin["sequence"]]["hash"]
    assert origin["head"] == {"sequence": max(parent), "hash": parent[max(parent)]["hash"]}
    assert origin["ancestors"] == [origin["run_id"]]
    assert origin["steps"] == len(payload["inherited"]) == 1
    for step in payload["inherited"]:
        taken = parent[step["sequence"]]
        assert (step["hash"], step["node_id"]) == (taken["hash"], taken["node_id"])
        assert json.loads(taken["output"]) == {"output": step["output"]}
        assert step["sequence"] <= origin["sequence"]
    given = json.loads(parent[1]["input"])
    assert {name: payload[name] for name in ("task", "policy", "workflow")} == given
    fields = (record["tenant_id"], record["run_id"], "1", "input")
    parts = [*(f.encode() for f in fields), bytes.fromhex(fork["input_salt"]), fork["input"].encode()]
    told = sha256(b"meshflow/v1/payload\0" + b"".join(length(part) + part for part in parts)).hexdigest()
    assert record["input"] == told


def test_the_product_writes_the_vector() -> None:
    """The same parent and salts give the same bytes."""
    parent, fork = forked()
    assert {"parent": [shown(entry) for entry in parent], "fork": shown(fork)} == vector()
