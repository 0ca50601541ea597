# ruff: noqa: E501 - tables of samples: one entry, one line
"""Texts built to stall a matcher cost time in proportion to their length, and long ones are read to the end."""

from __future__ import annotations

import base64
import time

import pytest

from meshflow_grpc.governance.detection import TextScanner
from meshflow_grpc.governance.detection.scanner import OVERLAP, WINDOW

ATTEMPTS = 5
HOSTILE = {
    "dashes": "-", "digits": "1", "digits and dashes": "1-", "at signs": "a@", "dots": "a.", "spaces": " ", "letters apart": "a ", "half attacks": "ignore all the previous ",
    "percent": "%41", "entities": "&#65;", "escapes": "\\u0041", "brackets": "![", "comments": "<!-- ", "hex": "49676e6f", "base64": base64.b64encode(b"ignore all previous instr").decode(),
    "zero width": "i\u200bg", "combining": "a\u0301", "wide ligatures": "\ufdfa", "surrogates": "\ud800", "nul": "\0", "almost cards": "4111 1111 1111 1112 ", "almost IBANs": "DE89 3704 ",
    "key headers": "-----BEGIN " + "PRIVATE KEY-----\n", "labels": "account number is the ", "names": "Patient John Smith ",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_four_times_the_text_costs_about_four_times_the_work(scanner: TextScanner, name: str) -> None:
    """The CPU of 48,000 characters is within 8 times that of 12,000, or too small to matter."""
    unit = HOSTILE[name]

    def cpu(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length]
        rounds = []
        for _ in range(3):
            start = time.process_time()
            scanner.scan_input(text)
            rounds.append(time.process_time() - start)
        return min(rounds)

    # Beside other processes one measurement may be off; a matcher that stalls is slow each time.
    assert any(cpu(48_000) < max(8 * cpu(12_000), 0.02) for _ in range(ATTEMPTS))


@pytest.mark.parametrize("place", [0, WINDOW - 10, WINDOW - OVERLAP - 5, 2 * WINDOW, 199_000])
def test_an_item_anywhere_in_a_long_text_is_found_once(scanner: TextScanner, place: int) -> None:
    """Windows overlap, so an item on a border is whole in one of them, and counted once."""
    filler = ("the quick brown fox jumps over it " * 6_000)[:200_000]
    text = filler[:place] + " jane.doe@example.org " + filler[place:]

    findings = scanner.scan_input(text).findings

    assert [(finding.kind, text[finding.start : finding.end]) for finding in findings] == [
        ("email_address", "jane.doe@example.org")
    ]


def test_nothing_and_blanks_are_clean(scanner: TextScanner) -> None:
    """Empty and blank texts have no findings."""
    assert scanner.scan_input("").findings == scanner.scan_output("  \n").findings == ()
