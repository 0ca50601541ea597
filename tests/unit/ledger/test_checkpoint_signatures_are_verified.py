"""Signed heads are C2SP checkpoints: read and written as the specification says, believed only with a trusted signature."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.ledger.checkpoint import (
    BadSignatureError,
    Checkpoint,
    CheckpointError,
    MalformedCheckpointError,
    UntrustedCheckpointError,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from meshflow_grpc.ledger.merkle import InvalidProofError
from meshflow_grpc.ledger.note_key import (
    KeyFormatError,
    SigningKey,
    VerifierKey,
    generate_signing_key,
    load_signing_key,
    parse_vkeys,
)
from meshflow_grpc.ledger.proof_text import ConsistencyProof, InclusionProof

NAME = "example.com/log"
OLD = generate_signing_key(NAME, lambda size: bytes(range(size)))
NEW = generate_signing_key(NAME, lambda size: bytes(range(9, size + 9)))
HEAD = Checkpoint(NAME, 20852163, bytes(range(32)))

# Published with the note package of golang.org/x/mod.
GO_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def test_a_checkpoint_is_read_back_as_signed() -> None:
    """The note has the lines of the specification, and its signer is known afterwards."""
    note = sign_checkpoint(HEAD, [OLD])
    opened = open_checkpoint(note, [OLD.verifier], NAME)

    assert note.split("\n")[:4] == [NAME, "20852163", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""]
    assert note.split("\n")[4].startswith(f"— {NAME} ")
    assert (opened.checkpoint, opened.note, opened.signers) == (HEAD, note, (OLD.verifier,))
    assert open_checkpoint(note.encode(), [OLD.verifier]) == opened


def test_keys_and_signatures_are_those_of_the_go_implementation() -> None:
    """The published key pair has the published public key and gives the published signature."""
    key = load_signing_key(GO_SKEY)

    assert key.skey() == GO_SKEY
    assert key.verifier.vkey == GO_VKEY
    assert VerifierKey.parse(GO_VKEY).vkey == GO_VKEY
    assert base64.b64encode(key.key_id + key.sign(GO_TEXT.encode())).decode() == GO_SIGNATURE


def test_a_key_is_rotated_by_signing_with_both() -> None:
    """Who trusts either key, or both, can read the head; signatures of unknown keys are ignored."""
    note = sign_checkpoint(HEAD, [OLD, NEW])

    assert open_checkpoint(note, [OLD.verifier]).signers == (OLD.verifier,)
    assert open_checkpoint(note, [NEW.verifier]).signers == (NEW.verifier,)
    assert open_checkpoint(note, [NEW.verifier, OLD.verifier]).signers == (OLD.verifier, NEW.verifier)


def test_a_head_that_no_trusted_key_signed_is_refused() -> None:
    """The same name with another key is another key."""
    with pytest.raises(UntrustedCheckpointError, match="none of 1 is by one of the 1 trusted keys"):
        open_checkpoint(sign_checkpoint(HEAD, [OLD]), [NEW.verifier])
    with pytest.raises(UntrustedCheckpointError):
        open_checkpoint(sign_checkpoint(HEAD, [OLD]), [])


def test_a_bad_signature_by_a_trusted_key_refuses_the_note_whoever_else_signed() -> None:
    """As the specification asks."""
    note = sign_checkpoint(HEAD, [OLD, NEW]).replace("20852163", "20852164")
    text, _, block = sign_checkpoint(HEAD, [NEW]).rpartition("\n\n")
    mixed = f"{text}\n\n{block}{note.splitlines()[4]}\n".replace("20852164", "20852163")
    broken = mixed.replace(mixed.splitlines()[5][-10:], "AAAAAAAAA=" if mixed.endswith("=\n") else "AAAAAAAAAA")

    with pytest.raises(BadSignatureError, match="signature 1"):
        open_checkpoint(note, [OLD.verifier, NEW.verifier])
    with pytest.raises(CheckpointError, match="signature 2"):
        open_checkpoint(broken, [OLD.verifier, NEW.verifier])


def test_another_logs_head_is_refused() -> None:
    """A key may sign for several logs; the origin says which."""
    with pytest.raises(CheckpointError, match="origin"):
        open_checkpoint(sign_checkpoint(HEAD, [OLD]), [OLD.verifier], "example.com/other")


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_flipped_bit_is_accepted(place: int, bit: int) -> None:
    """Every bit of the text, the key's name, its id and the signature counts."""
    note = bytearray(sign_checkpoint(HEAD, [OLD]).encode())
    note[place % len(note)] ^= 1 << bit

    with pytest.raises(CheckpointError):
        open_checkpoint(bytes(note), [OLD.verifier])


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("o\n1\nAA==\n", "root"),
        ("o\n01\n" + "A" * 43 + "=\n", "size"),
        ("o\n-1\n" + "A" * 43 + "=\n", "size"),
        ("o\n١\n" + "A" * 43 + "=\n", "size"),
        ("\n1\n" + "A" * 43 + "=\n", "origin"),
        ("o\n1\n" + "A" * 42 + "B=\n", "root"),
        ("o\n1\n" + "A" * 43 + "=\nextension\n", "checkpoint"),
        ("o\n1\n", "checkpoint"),
        ("", "checkpoint"),
    ],
)
def test_a_malformed_checkpoint_names_its_bad_line(text: str, field: str) -> None:
    """Leading zeros, other digits, other encodings of the same bytes, extension lines."""
    with pytest.raises(MalformedCheckpointError) as raised:
        parse_checkpoint(text)
    assert raised.value.violations[0].field == field


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"a\n",
        b"a\n\n",
        b"\xff\n\n",
        "a\tb\n\n— n AAAAAAA=\n".encode(),
        b"a\n\n- n AAAAAAA=\n",
        "a\n\n— n AAAA\n".encode(),
        b"a\n\n" + b"x" * 2_000_000,
        b"a\n\n" + "— n AAAAAAA=\n".encode() * 65,
    ],
)
def test_what_is_no_signed_note_is_refused(note: bytes) -> None:
    """Not UTF-8, control characters, no signature lines, too many of them, or far too long."""
    with pytest.raises(MalformedCheckpointError):
        open_checkpoint(note, [OLD.verifier])


@pytest.mark.parametrize("origin", ["", "two\nlines", "tab\t", "lone \ud800"])
def test_a_head_without_a_proper_origin_is_not_signed(origin: str) -> None:
    """Nobody could read it back."""
    with pytest.raises(InvalidRequestError, match=r"origin|checkpoint"):
        sign_checkpoint(Checkpoint(origin, 1, bytes(32)), [OLD])
    with pytest.raises(InvalidRequestError, match="keys"):
        sign_checkpoint(HEAD, [])


def test_a_key_is_read_back_and_never_shown() -> None:
    """The secret text form round-trips; no representation or error holds it."""
    key = load_signing_key(NEW.skey() + "\n")

    assert key.verifier == NEW.verifier
    assert isinstance(key, SigningKey)
    assert NEW.skey().rpartition("+")[2] not in repr(key)
    with pytest.raises(KeyFormatError) as raised:
        load_signing_key(NEW.skey()[:-2])
    assert NEW.skey().rpartition("+")[2][:20] not in str(raised.value)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "a+b+c",
        GO_VKEY.replace("c74f20a3", "c74f20a4"),
        GO_VKEY.replace("Peter", "Pater"),
        GO_VKEY[:-4],
        GO_VKEY.replace("+ARpc", "+BRpc"),
        GO_VKEY.replace("c74f20a3", "C74F20A3"),
    ],
)
def test_a_damaged_public_key_is_refused(vkey: str) -> None:
    """A typing error in the name, the id or the key is found by the id."""
    with pytest.raises(KeyFormatError):
        VerifierKey.parse(vkey)


def test_a_list_of_keys_may_have_comments() -> None:
    """One key a line."""
    assert parse_vkeys(f"# ours\n\n{GO_VKEY}\n  {OLD.verifier.vkey}\n") == (VerifierKey.parse(GO_VKEY), OLD.verifier)
    with pytest.raises(KeyFormatError):
        generate_signing_key("with space", bytes)


@given(
    st.integers(0, 2**60),
    st.lists(st.binary(min_size=32, max_size=32), max_size=20),
    st.none() | st.binary(max_size=40),
)
def test_proof_texts_are_read_back_as_written(number: int, hashes: list[bytes], extra: bytes | None) -> None:
    """Inclusion (tlog-proof) and consistency (add-checkpoint) alike."""
    note = sign_checkpoint(HEAD, [OLD])
    inclusion, consistency = (
        InclusionProof(number, tuple(hashes), note, extra),
        ConsistencyProof(number, tuple(hashes), note),
    )

    assert InclusionProof.parse(inclusion.text()) == inclusion
    assert ConsistencyProof.parse(consistency.text()) == consistency


def test_a_proof_text_has_the_lines_of_the_specification() -> None:
    """Header, optional extra, index, hashes, an empty line, and the checkpoint verbatim."""
    proof = InclusionProof(7, (bytes(32),), "note\n", b"x")

    assert proof.text() == "c2sp.org/tlog-proof@v1\nextra eA==\nindex 7\n" + "A" * 43 + "=\n\nnote\n"
    assert ConsistencyProof(7, (), "note\n").text() == "old 7\n\nnote\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra ?\nindex 1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 1",
        "c2sp.org/tlog-proof@v1\nindex 1\n" + ("A" * 43 + "=\n") * 64 + "\nnote\n",
    ],
)
def test_a_malformed_proof_text_is_refused(text: str) -> None:
    """With an error that names the line."""
    with pytest.raises(InvalidProofError):
        InclusionProof.parse(text)
