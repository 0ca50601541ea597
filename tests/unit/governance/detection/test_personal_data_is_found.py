# ruff: noqa: E501 - tables of samples: one entry, one line
"""Personal and health data is found with its exact place, and what only resembles it is not."""

from __future__ import annotations

import pytest

from meshflow_grpc.governance.detection import TextScanner

FOUND = [
    ("pii", "email_address", "write to ", "jane.doe@example.org", " today"),
    ("pii", "phone_number", "call ", "(415) 555-0132", "."),
    ("pii", "phone_number", "ring ", "+44 20 7183 8750", " now"),
    ("pii", "us_ssn", "it is ", "536-22-8726", ""),
    ("pii", "us_ssn", "SSN: ", "536228726", ""),
    ("pii", "us_ssn", "write to jane@example.org, ", "536 22 8726", ""),
    ("pii", "us_itin", "file under ", "912-70-1234", ""),
    ("pii", "credit_card", "charge ", "4111 1111 1111 1111", " please"),
    ("pii", "credit_card", "order 1234 ", "4111 1111 1111 1111", " 12"),
    ("pii", "iban", "pay ", "DE89 3704 0044 0532 0130 00", " soon"),
    ("pii", "vin", "car ", "1HGCM82633A004352", ""),
    ("pii", "licence_plate", "license plate ", "ABC-1234", ""),
    ("pii", "licence_number", "driver's license ", "D1234567", ""),
    ("pii", "passport_number", "passport no. ", "X12345678", ""),
    ("pii", "account_number", "account number ", "0012345678", ""),
    ("pii", "routing_number", "routing ", "021000021", ""),
    ("pii", "ip_address", "from ", "203.0.113.7", ""),
    ("pii", "ip_address", "from ", "2001:db8:85a3::8a2e:370:7334", ""),
    ("pii", "mac_address", "device ", "00:1b:63:84:45:e6", ""),
    ("pii", "street_address", "lives at ", "221 Baker Street", ""),
    ("pii", "street_address", "send to ", "P.O. Box 1234", ""),
    ("pii", "city_and_zip", "in ", "Springfield, IL 62704", ""),
    ("pii", "date_of_birth", "DOB: ", "03/04/1951", ""),
    ("pii", "date_of_birth", "born on ", "March 4, 1951", ""),
    ("pii", "person_name", "ask Dr. ", "Ada Byron", " about it"),
    ("pii", "person_name", "my name is ", "José Muñoz", ""),
    ("pii", "aadhaar", "aadhaar ", "2341 2341 2346", ""),
    ("pii", "brazil_cpf", "cpf ", "529.982.247-25", ""),
    ("phi", "person_name", "patient ", "John Smith", " was seen"),
    ("phi", "medical_record_number", "MRN: ", "00482913", ""),
    ("phi", "health_plan_id", "member ID ", "XZA123456789", ""),
    ("phi", "us_mbi", "card ", "1EG4-TE5-MK73", ""),
    ("phi", "us_npi", "NPI ", "1234567893", ""),
    ("phi", "us_dea", "DEA ", "BB1388568", ""),
    ("phi", "device_id", "pacemaker serial number ", "PM-4482913", ""),
    ("phi", "date", "patient admitted on ", "2024-03-09", ""),
    ("phi", "age_over_89", "a ", "93-year-old", " woman"),
    ("phi", "restricted_zip_prefix", "zip ", "036", ""),
    ("phi", "url", "patient portal ", "https://portal.example.org/u/17", ""),
]


@pytest.mark.parametrize(
    ("category", "kind", "before", "value", "after"), FOUND, ids=[f"{row[1]} {row[3]}" for row in FOUND]
)
def test_an_item_is_found_exactly(
    scanner: TextScanner, category: str, kind: str, before: str, value: str, after: str
) -> None:
    """Category, kind and span are right."""
    findings = scanner.scan_input(before + value + after).findings

    assert (category, kind, len(before), len(before) + len(value)) in {
        (f.category, f.kind, f.start, f.end) for f in findings
    }


@pytest.mark.parametrize("before", ["Größe: ", "患者の記録 ", "emoji 🎉🎉 "])
def test_spans_count_code_points(scanner: TextScanner, before: str) -> None:
    """Characters beyond ASCII before an item do not move its span."""
    text = before + "mail jane.doe@example.org"

    assert [text[f.start : f.end] for f in scanner.scan_input(text).findings if f.kind == "email_address"] == [
        "jane.doe@example.org"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.2.3 was released on 2024-03-09.", "The building is 93 years old.", "Order 4111 1111 1111 1112 shipped.", "See section 4.2.1 and table 12-34-5678.",
        "Serial port baud rate 115200.", "127.0.0.1 is the loopback address.", "The 2024 World Summit was in May.", "Call the function with 3 arguments.",
        "https://example.org/docs/guide", "Patient safety is a priority.", "000-12-3456 is not issued",
    ],
)  # fmt: skip
def test_what_only_resembles_personal_data_is_left_alone(scanner: TextScanner, text: str) -> None:
    """Versions, wrong check digits, dates and ages without a person in sight are no findings."""
    assert scanner.scan_input(text).of("pii", "phi") == ()


def test_dates_names_and_addresses_count_once_a_text_is_clinical(scanner: TextScanner) -> None:
    """The same date and name are findings beside a medical record number and none without it."""
    sentence = "Seen 2024-03-09 by Grace Olsen."

    assert scanner.scan_input(sentence).findings == ()
    assert {f.kind for f in scanner.scan_input(sentence + " MRN 00482913").findings} == {
        "date",
        "person_name",
        "medical_record_number",
    }
