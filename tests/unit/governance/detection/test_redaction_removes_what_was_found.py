# ruff: noqa: E501 - tables of samples: one entry, one line
"""Redaction leaves no found item behind, is stable, and names what it removed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshflow_grpc.governance.detection import Finding, TextScanner, redact

ITEMS = [
    "jane.doe@example.org", "536-22-8726", "4111 1111 1111 1111", "+44 20 7183 8750", "DE89 3704 0044 0532 0130 00", "203.0.113.7", "221 Baker Street", "MRN 00482913",
    "password: Tr0ub4dor&3", "patient John Smith", "DOB 03/04/1951", "gh" + "p_" + "a1B2c3D4e5F6" * 3,
]  # fmt: skip
WORDS = st.lists(
    st.one_of(st.sampled_from(ITEMS), st.text(alphabet="abc ÄÖ漢🎉,.;\n", max_size=12)), min_size=1, max_size=8
)
DATA = ("pii", "phi", "secret")


@given(WORDS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_found_span_survives(scanner: TextScanner, words: list[str]) -> None:
    """No item that was found whole is left in the redacted text, and something is removed whenever something was found."""
    text = " ".join(words)
    findings = scanner.scan_output(text).of(*DATA)

    once = redact(text, findings)

    assert not {text[f.start : f.end] for f in findings if len(text[f.start : f.end]) > 8} & {
        item for item in ITEMS if item in once
    }
    assert len(findings) == 0 or once != text


@given(WORDS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_redacting_twice_is_redacting_once(scanner: TextScanner, words: list[str]) -> None:
    """Placeholders are never findings themselves, so a second pass changes nothing."""
    text = " ; ".join(words)
    once = redact(text, scanner.scan_output(text).of(*DATA))

    assert redact(once, scanner.scan_output(once).of(*DATA)) == once


def test_overlapping_spans_become_one_placeholder_of_the_longest() -> None:
    """The union is replaced, named after the longest finding."""
    findings = [
        Finding("pii", "us_ssn", 2, 6),
        Finding("pii", "phone_number", 4, 12),
        Finding("pii", "zip_code", 20, 22),
    ]

    assert redact("0123456789abcdefghijklmnop", findings) == "01[PHONE_NUMBER]cdefghij[ZIP_CODE]mnop"


def test_of_equal_spans_the_more_specific_kind_names_the_placeholder() -> None:
    """A date of birth is not just a date, a secret is a secret first."""
    assert redact("abc", [Finding("phi", "date", 0, 3), Finding("pii", "date_of_birth", 0, 3)]) == "[DATE_OF_BIRTH]"
    assert (
        redact("abc", [Finding("pii", "crypto_wallet", 0, 3), Finding("secret", "openai_key", 0, 3)]) == "[OPENAI_KEY]"
    )


def test_a_span_outside_the_text_is_refused() -> None:
    """The error names the finding and the span."""
    with pytest.raises(ValueError, match="us_ssn: span 2:9"):
        redact("short", [Finding("pii", "us_ssn", 2, 9)])


def test_no_findings_change_nothing() -> None:
    """The text comes back as it was."""
    assert redact("as it was", []) == "as it was"
