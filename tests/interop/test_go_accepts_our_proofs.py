"""Implementations of others accept our proofs and notes, and refuse the same ones when they are spoilt."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc.ledger.checkpoint import Checkpoint, sign_checkpoint
from meshflow_grpc.ledger.merkle import consistency_proof, inclusion_proof, root_of
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from meshflow_grpc.ledger.note_key import generate_signing_key

PROGRAM = Path(__file__).parent / "go"
SIZES = (1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 33, 64, 200)
RECORDS = [b'{"entry":%d}' % number for number in range(max(SIZES))]
ORIGIN = "log.example.org/meshflow"
KEYS = [
    generate_signing_key(ORIGIN, lambda size: bytes(range(size))),
    generate_signing_key(ORIGIN, lambda size: bytes(range(9, size + 9))),
]


def encoded(value: Any) -> Any:
    """Go reads bytes as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: encoded(item) for key, item in value.items()}
    return [encoded(item) for item in value] if isinstance(value, list | tuple) else value


def cases() -> dict[str, Any]:
    """Every proof of some trees, good and spoilt, and notes with one and two signatures."""
    rows = {(level, idx): value for level, idx, value in CompactRange().append(RECORDS)}
    roots = {size: root_of(size, lambda level, idx: rows[level, idx]) for size in range(max(SIZES) + 1)}
    inclusion, consistency, notes = [], [], []
    for size in SIZES:
        for index in range(size):
            proof = list(inclusion_proof(index, size, lambda level, idx: rows[level, idx]))
            case = {"index": index, "size": size, "record": RECORDS[index], "root": roots[size]}
            inclusion.append({**case, "proof": proof, "valid": True})
            inclusion.append({**case, "proof": proof, "record": b"another", "valid": False})
            inclusion.append({**case, "proof": [*proof, bytes(32)], "valid": False})
        for old_size in range(size + 1):
            proof = list(consistency_proof(old_size, size, lambda level, idx: rows[level, idx]))
            case = {"old_size": old_size, "size": size, "old_root": roots[old_size], "root": roots[size]}
            consistency.append({**case, "proof": proof, "valid": True})
            consistency.append({**case, "proof": [*proof, bytes(32)], "valid": False})
        checkpoint = Checkpoint(ORIGIN, size, roots[size])
        both = sign_checkpoint(checkpoint, KEYS)
        case = {"note": both, "size": size, "root": roots[size]}
        notes += [{**case, "vkeys": [key.verifier.vkey], "valid": True} for key in KEYS]
        notes.append(
            {**case, "note": sign_checkpoint(checkpoint, KEYS[:1]), "vkeys": [KEYS[1].verifier.vkey], "valid": False}
        )
        spoilt = both.replace(f"\n{size}\n", f"\n{size + 1}\n")
        notes.append({**case, "note": spoilt, "vkeys": [KEYS[0].verifier.vkey], "valid": False})
    head = Checkpoint(ORIGIN, 5, roots[5])
    signing = {"skey": KEYS[0].skey(), "skey_text": head.text(), "skey_note": sign_checkpoint(head, KEYS[:1])}
    return {"inclusion": inclusion, "consistency": consistency, "notes": notes, **signing}


def test_go_verifies_every_proof_and_note_as_we_do(tmp_path: Path) -> None:
    """transparency-dev/merkle and golang.org/x/mod/sumdb/note agree with us on each case."""
    go = shutil.which("go")
    if go is None:
        if os.environ.get("CI") == "true":
            pytest.fail("go is not on PATH; CI must verify with another implementation")
        pytest.skip("go is not on PATH")
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(encoded(cases())))
    result = subprocess.run([go, "run", ".", str(file)], cwd=PROGRAM, capture_output=True, text=True, timeout=280)

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == "checked 1161 inclusion, 800 consistency, 52 notes, 0 failed\n"
