"""Folding only what is not ASCII, and skipping what cannot match, gives what folding and matching everything would."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from meshflow_grpc.governance.detection.normalization import _FOLD, TYPOGRAPHIC, fold, foreign
from meshflow_grpc.governance.detection.syntax import Choice, Flagged, Node, One, Repeat, Sequence, parse
from meshflow_grpc.governance.detection.world_attack_rules import WORLD_NATIVE_ATTACKS

MARKED = "ae \u0301\u0323\u0335\u200b\u00e9\ud55c\ufdfa\u3042\u304c\u3099\u093c\u094d\u2026\u2019\u00bd\ufb03"


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=30) | st.text(alphabet=MARKED, max_size=40))
def test_a_text_folds_as_if_it_were_folded_whole(text: str) -> None:
    """Runs on their own, characters one by one, or all at once."""
    assert fold(text) == unicodedata.normalize("NFKD", text).translate(_FOLD)


def test_what_is_foreign_is_all_that_is_not_ascii() -> None:
    """In its order, surrogates too."""
    text = "a\u00e9b\U0001f600c\ud800"

    assert foreign(text.encode("utf-8", "surrogatepass")) == "\u00e9\U0001f600\ud800"


def test_every_native_rule_needs_a_letter_of_its_script() -> None:
    """So a text whose only foreign characters are punctuation cannot match any."""
    assert all(_needs_a_letter(parse(rule.pattern)) for rule in WORLD_NATIVE_ATTACKS)
    assert not any(char.isalpha() for char in TYPOGRAPHIC)


def _needs_a_letter(node: Node) -> bool:
    match node:
        case One(text):
            return len(text) == 1 and not text.isascii() and text not in TYPOGRAPHIC
        case Sequence(parts):
            return any(map(_needs_a_letter, parts))
        case Choice(options):
            return all(map(_needs_a_letter, options))
        case Repeat(item, least, _):
            return least > 0 and _needs_a_letter(item)
        case Flagged(_, item):
            return _needs_a_letter(item)
        case _:
            return False
