"""The offline verifier is a second implementation: it shares no code with the writer, and agrees with it."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import meshflow_grpc.audit
from meshflow_grpc.audit import merkle as audit_merkle
from meshflow_grpc.audit.canonical_json import NotCanonicalError as AuditNotCanonicalError
from meshflow_grpc.audit.canonical_json import parse
from meshflow_grpc.audit.command import main
from meshflow_grpc.audit.policies import policy_digest as audit_policy_digest
from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.governance.effective_policy import of_policy, policy_digest
from meshflow_grpc.ledger.canonical import NotCanonicalError, decode, encode
from meshflow_grpc.ledger.merkle import consistency_proof, inclusion_proof, leaf_hash, root_of
from tests.unit.audit.bundles import TRUST, bundle, sample_log
from tests.unit.ledger.merkle_trees import reader, stored

FOLDER = Path(str(meshflow_grpc.audit.__file__)).parent
ALLOWED = {*sys.stdlib_module_names, "cryptography"}

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abc_"\\\n', max_size=4), inner, max_size=4),
    max_leaves=12,
)


def test_it_imports_only_the_standard_library_and_cryptography() -> None:
    """No module of the rest of the package, in any of its files."""
    imported = {
        name
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }

    assert "meshflow_grpc.audit.merkle" in imported
    assert {
        name
        for name in imported
        if name.partition(".")[0] not in ALLOWED and not name.startswith("meshflow_grpc.audit")
    } == set()


def test_running_it_loads_nothing_of_the_rest_of_the_package() -> None:
    """Neither directly nor through the package's root."""
    program = (
        "import sys, meshflow_grpc.audit.command; print(*[m for m in sys.modules if m.startswith('meshflow_grpc')])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert {name for name in loaded if not name.startswith("meshflow_grpc.audit")} == {"meshflow_grpc"}


@given(documents)
def test_both_implementations_agree_on_what_is_canonical(document: object) -> None:
    """What the writer encodes, the verifier takes and reads as the same document."""
    try:
        data = encode(document)
    except NotCanonicalError:
        return
    assert parse(data) == document


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b"-0",
        b"9007199254740992",
        b"NaN",
        b'"\\u00fc"',
        b'"\\ud800"',
        b'"\xff"',
        b"[1]\n",
        b"\xef\xbb\xbf1",
        '{"ü":1}'.encode(),
        b"[" * 200_000,
        b"9" * 5000,
        b"",
    ],
)
def test_both_implementations_refuse_what_is_not_canonical(data: bytes) -> None:
    """Other spellings, fractions, large integers, keys that are not ASCII, and input made to exhaust a parser."""
    with pytest.raises(AuditNotCanonicalError):
        parse(data)
    with pytest.raises(NotCanonicalError):
        decode(data)


def test_both_implementations_allow_the_same_depth() -> None:
    """64 levels of objects and arrays."""
    deepest: list[object] = []
    for _ in range(63):
        deepest = [deepest]

    assert parse(encode(deepest)) == deepest
    with pytest.raises(NotCanonicalError):
        encode([deepest])
    with pytest.raises(AuditNotCanonicalError):
        parse(b"[" * 65 + b"]" * 65)


def test_both_implementations_agree_on_every_proof_of_small_trees() -> None:
    """The verifier reaches the writer's roots from the writer's proofs."""
    hash_of = reader(stored([b"%d" % number for number in range(40)]))
    tree = audit_merkle.GrowingTree()
    for size in range(1, 41):
        tree.add(leaf_hash(b"%d" % (size - 1)))
        root = root_of(size, hash_of)
        assert tree.root() == root
        for index in range(size):
            proof = list(inclusion_proof(index, size, hash_of))
            assert audit_merkle.root_from_inclusion(leaf_hash(b"%d" % index), index, size, proof) == root
            with pytest.raises(audit_merkle.ProofError):
                audit_merkle.root_from_inclusion(leaf_hash(b"%d" % index), index, size, [*proof, root])
        for old_size in range(1, size):
            proof = list(consistency_proof(old_size, size, hash_of))
            old_root = root_of(old_size, hash_of)
            assert audit_merkle.roots_from_consistency(old_size, size, proof, old_root) == (old_root, root)


@pytest.mark.parametrize("budget", [0.5, 1.0, 1e-7, 1e22, 123456.789, None])
def test_both_implementations_agree_on_a_policys_digest(budget: float | None) -> None:
    """Whatever the number, read back from JSON text."""
    policy = of_policy(Policy(budget_usd=budget))  # type: ignore[arg-type]

    assert audit_policy_digest(json.loads(json.dumps(policy.json))) == policy.digest


def test_a_policys_digest_is_the_documented_one() -> None:
    """The page's example, by what the page says alone and by both implementations."""
    page = (Path(__file__).parents[3] / "docs/evidence-bundle.md").read_text()
    example = json.loads(page.split("```json\n")[1].split("```")[0])
    by_hand = hashlib.sha256(b"meshflow/v1/policy\0" + example["hashed"].encode()).hexdigest()
    assert audit_policy_digest(example["policy"]) == policy_digest(example["policy"]) == by_hand == example["digest"]


def test_the_command_prints_and_exits_by_the_result(tmp_path: Path) -> None:
    """0 verified, 6 not verified, 2 for what cannot be used; JSON on request."""
    data = bundle(sample_log().evidence())
    good, bad, keys = tmp_path / "good.tar", tmp_path / "bad.tar", tmp_path / "keys.txt"
    good.write_bytes(data)
    bad.write_bytes(data.replace(b"Ada Lovelace", b"Eve Lovelace", 1))
    keys.write_text("\ufeff# ours\n" + TRUST)
    out, err = io.StringIO(), io.StringIO()

    assert main([str(good), "--trust", str(keys)], out, err) == 0
    assert out.getvalue().endswith(f"{good}: verified\n")
    assert main([str(good), "--trust", str(keys), "--run", "run_77"], out, err) == 6
    out = io.StringIO()
    assert main([str(bad), "--trust", str(keys), "-o", "json"], out, err) == 6
    result = json.loads(out.getvalue())
    assert not result["ok"]
    assert {finding["file"] for finding in result["findings"]} == {"payloads.jsonl"}
    assert main([str(tmp_path / "none.tar"), "--trust", str(keys)], out, err) == 2
    assert main([str(good), "--trust", str(good)], out, err) == 2
    assert main([str(good), "--trust", str(keys), "--head", str(keys)], out, err) == 2
    assert "cannot read" in err.getvalue()


def test_the_command_runs_as_a_module(tmp_path: Path) -> None:
    """With nothing but a bundle and a list of keys."""
    (tmp_path / "b.tar").write_bytes(bundle(sample_log().evidence()))
    (tmp_path / "keys").write_text(TRUST)
    command = [sys.executable, "-m", "meshflow_grpc.audit", str(tmp_path / "b.tar"), "--trust", str(tmp_path / "keys")]
    result = subprocess.run(command, capture_output=True, text=True)

    assert result.returncode == 0
    assert "Not proved:" in result.stdout
