# ruff: noqa: E501 - tables of samples: one entry, one line
"""People, addresses and local numbers in ordinary sentences are found; places, organisations and what is counted are not."""

from __future__ import annotations

import pytest

from meshflow_grpc.governance.detection import TextScanner

FOUND = [
    ("person_name", "the book by ", "Karen Olsen", " came out"),
    ("person_name", "We met ", "Ludwig van Beethoven", " there"),
    ("person_name", "", "Jean-Pierre Dubois", " will call."),
    ("person_name", "tell ", "Aurélie Fournier", " today"),
    ("person_name", "said ", "Jennifer", ", who was late"),
    ("person_name", "", "Kenneth", " moved to Rome."),
    ("person_name", "It is ", "Monika", "'s turn"),
    ("person_name", "a letter from ", "Thomas Becker", " University"),
    ("street_address", "Our offices are located at ", "Tylova 42, Karlovy Vary", ""),
    ("street_address", "Please return it to ", "ul. Kopernika 107, Gdynia", "?"),
    ("street_address", "He lives at ", "51 Traill Street, Ross", ""),
    ("phone_number", "call me on ", "42-95-48-72", " please"),
]
ORDINARY = [
    "The Paris Agreement and the Jordan River.", "Charles University and the Louis Museum reopened.", "Deploy Jenkins, Kafka and Claude Code to Austin.", "Return to Step 3, Part 12 of the guide.",
    "The release moved to Version 12, Build 7.", "Call the function on 2024-03-09 or in 2014-2026.", "Grace Period and Grant Program and Mark Down.", "Send it to Room 12 on Friday.",
    "In March 2024, May 2025 and August 2026 the Board met.", "a norma or a peter in lower case",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "before", "value", "after"), FOUND, ids=[row[2] for row in FOUND])
def test_what_belongs_to_a_person_is_found_exactly(
    scanner: TextScanner, kind: str, before: str, value: str, after: str
) -> None:
    """Kind and place are right, without any word beside it that says what it is."""
    findings = scanner.scan_input(before + value + after).findings

    assert (kind, len(before), len(before) + len(value)) in {(f.kind, f.start, f.end) for f in findings}


@pytest.mark.parametrize("text", ORDINARY)
def test_places_and_numbered_things_are_no_people(scanner: TextScanner, text: str) -> None:
    """Words that are also names, organisations named after people, sections and dates."""
    assert scanner.scan_input(text).of("pii", "phi") == ()


def test_a_name_makes_no_context(scanner: TextScanner) -> None:
    """A text that names somebody is not yet about personal data: bare numbers in it stay what they are."""
    assert {f.kind for f in scanner.scan_input("Linda Olsen read certificate ABC-4711 twice.").findings} == {
        "person_name"
    }
