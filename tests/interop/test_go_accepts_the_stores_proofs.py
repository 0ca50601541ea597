"""Another implementation accepts heads and proofs of a real ledger file, as the server and the command line give them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc.commands.get_consistency_proof import prove_growth
from meshflow_grpc.commands.get_inclusion_proof import prove_entry
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import whole_run
from tests.fakes.log_keys import KEYS, publisher
from tests.interop.test_go_accepts_our_proofs import PROGRAM, cases, encoded

RUNS = 7


async def store_cases(path: Path) -> dict[str, Any]:
    """A proof of every entry, of the growth from every head, and every head's note."""
    storage = await SqliteStorage.open(path)
    log, heads, records = publisher(storage), [], []
    for number in range(RUNS):
        await whole_run(storage, f"run_{number}", steps=number)
        heads.append(await log.publish())
    newest = heads[-1]
    async with storage.raw_log() as raw:
        async for page in raw.pages:
            records += [row.record for row in page]
    vkeys = [key.vkey for key in KEYS.verifiers]
    inclusion = [
        {
            "index": seq - 1,
            "size": newest.size,
            "record": record,
            "root": newest.root,
            "proof": list((await prove_entry(storage, seq, newest)).proof.hashes),
            "valid": True,
        }
        for seq, record in enumerate(records, 1)
    ]
    consistency = []
    for head in heads:
        grown = await prove_growth(storage, head.size, newest.size, newest.size)
        sizes = {"old_size": head.size, "size": newest.size, "old_root": head.root, "root": newest.root}
        consistency.append({**sizes, "proof": list(grown.hashes), "valid": True})
    await storage.close()
    notes = [{"note": head.note, "size": head.size, "root": head.root, "vkeys": vkeys, "valid": True} for head in heads]
    return {**cases(), "inclusion": inclusion, "consistency": consistency, "notes": notes}


def test_go_verifies_the_log_of_a_ledger_file(tmp_path: Path) -> None:
    """Every proof and note of a ledger with several heads."""
    go = shutil.which("go")
    if go is None:
        if os.environ.get("CI") == "true":
            pytest.fail("go is not on PATH; CI must verify with another implementation")
        pytest.skip("go is not on PATH")
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(encoded(asyncio.run(store_cases(tmp_path / "ledger.db")))))
    result = subprocess.run([go, "run", ".", str(file)], cwd=PROGRAM, capture_output=True, text=True, timeout=280)

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith(" 0 failed\n")
    assert result.stdout.startswith(f"checked {sum(2 + n for n in range(RUNS))} inclusion, {RUNS} consistency")
