"""What nobody signed in a bundle can say nothing that a reader might believe."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.ledger.canonical import encode
from tests.unit.audit.bundles import bundle, sample_log
from tests.unit.audit.tampering import found, packed, unpacked, verified

if TYPE_CHECKING:
    from pathlib import Path


def _policy_texts(text: bytes) -> dict[str, bytes]:
    """Other texts that have the digest of a policy, or look as if."""
    document = json.loads(text)
    return {
        "a key twice": b'{"mode":"permissive",' + text[1:],
        "utf-16": text.decode().encode("utf-16"),
        "indented": json.dumps(document, indent=1).encode(),
        "a number as a text": text.replace(b'"budget_usd":0.5', b'"budget_usd":"0.5"'),
        "a byte order mark": b"\xef\xbb\xbf" + text,
    }


def test_a_policy_in_another_text_of_the_same_digest_is_found(tmp_path: Path) -> None:
    """What one reader takes for the policy must be what every reader does."""
    files = unpacked(bundle(sample_log().evidence()))
    name = next(name for name in files if name.startswith("policies/"))
    for what, text in _policy_texts(files[name]).items():
        assert text != files[name], what
        report = verified(tmp_path, packed(files | {name: text}))
        assert "is not the text in the row of a run" in found(report), what


@pytest.mark.parametrize(
    "change", [{"said": "approved by all"}, {"sequence": "4"}, {"run_id": 1}], ids=["more", "a text", "a number"]
)
def test_a_proof_names_its_entry_and_nothing_else(tmp_path: Path, change: dict[str, object]) -> None:
    """Nobody signed the extra line: it can hold no statement that a reader might believe."""
    files = unpacked(bundle(sample_log().evidence("run_1")))
    name = next(name for name in files if name.startswith("proofs/"))
    kept = files[name].decode().split("\n")
    place = json.loads(base64.b64decode(kept[1].removeprefix("extra ")))
    kept[1] = "extra " + base64.b64encode(encode(place | change)).decode()
    report = verified(tmp_path, packed(files | {name: "\n".join(kept).encode()}))
    assert "does not name a run and an entry" in found(report)


def test_a_kept_head_of_another_history_is_told_from_one_that_is_not_proved(tmp_path: Path) -> None:
    """With all records of the log there is no doubt: it was rewritten."""
    other = sample_log(3, 3)
    report = verified(tmp_path, bundle(sample_log(3, 2).evidence(whole=True)), trusted_head=other.checkpoint(10))
    assert "[12] trusted head: the first 10 records do not have its root: the history was rewritten" in found(report)
