"""A stored record is taken only in its one form, and what is refused is told what is wrong with it."""

from __future__ import annotations

import pytest

from meshflow_grpc.ledger.canonical import NotCanonicalError, encode
from meshflow_grpc.ledger.record import parsed

RECORD = {
    "attempt": 1,
    "change": {"usage": {"steps": 1}},
    "facts": {"risk": ["read_only", {"place": 1}]},
    "input": None,
    "kind": "step_committed",
    "node_id": "writer",
    "output": "c" * 64,
    "prev_hash": "0" * 64,
    "run_id": "run_1",
    "sequence": 2,
    "step_id": "writer/1",
    "tenant_id": "acme",
    "time": "2026-01-02T03:04:05.678Z",
    "v": 1,
}
DATA = encode(RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"change": None, "facts": {}},
        {"input": "a" * 64, "output": None},
        {"node_id": "Prüfer", "facts": {"who": "Zoë"}},
        {"facts": {"deep": [[[{"a": [None, True, -5, 2**53 - 1]}]]]}},
    ],
)
def test_a_record_in_its_form_is_taken(change: dict[str, object]) -> None:
    """Whatever its facts are, in any language."""
    assert parsed(encode(RECORD | change)) == RECORD | change


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b'"v":1', b'"v":2', "format version 2"),
        (b'"v":1', b'"v":true', "format version True"),
        (b'"v":1', b'"v":1.0', "float"),
        (b'"sequence":2', b'"sequence":2.0', "float"),
        (b'"sequence":2', b'"sequence":2e0', "float"),
        (b'"sequence":2', b'"sequence":true', "must be integers"),
        (b'"attempt":1', b'"attempt":null', "must be integers"),
        (b'"steps":1', b'"steps":1.5', "float"),
        (b'"place":1', b'"place":0.5', "float"),
        (b'"place":1', b'"place":9007199254740992', "53-bit"),
        (b'"place":1', b'"place":1,"place":1', "canonical form"),
        (b'"place":1', b'"pl\xc3\xa4ce":1', "ASCII"),
        (b'"place":1', b'"place": 1', "canonical form"),
        (b'"kind":"step_committed"', b'"kind":3', "must be texts"),
        (b'"tenant_id":"acme"', b'"tenant_id":null', "must be texts"),
        (b'"tenant_id":"acme",', b"", "fields of an entry"),
        (b'"v":1', b'"v":1,"w":1', "fields of an entry"),
        (
            b'"attempt":1,"change":{"usage":{"steps":1}}',
            b'"change":{"usage":{"steps":1}},"attempt":1',
            "canonical form",
        ),
        (b"writer", b"wr\\u0069ter", "canonical form"),
        (b"writer", b"wr\xffter", "not JSON"),
        (DATA, b"[]", "fields of an entry"),
        (DATA, b"", "not JSON"),
    ],
)
def test_any_other_is_refused(old: bytes, new: bytes, why: str) -> None:
    """Also where the value would be the same to a lenient reader."""
    assert DATA.count(old) in (1, 2)
    with pytest.raises(NotCanonicalError) as refused:
        parsed(DATA.replace(old, new))
    assert why in refused.value.violations[0].description
