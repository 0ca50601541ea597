"""Each number scheme accepts its published specimens and refuses them with one digit changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.governance.detection import checksums


def card(run: str) -> bool:
    """Whether the whole run is one card number."""
    return list(checksums.payment_cards(run)) == [(0, len(run))]


SPECIMENS: list[tuple[Callable[[str], int], str]] = [
    (card, "4111 1111 1111 1111"),
    (card, "3782-822463-10005"),
    (checksums.iban_length, "DE89 3704 0044 0532 0130 00"),
    (checksums.iban_length, "GB82WEST12345698765432"),
    (checksums.iban_length, "NO93 8601 1117 947"),
    (checksums.us_npi, "1234567893"),
    (checksums.aba_routing, "021000021"),
    (checksums.vin, "1HGCM82633A004352"),
    (checksums.verhoeff, "2363"),
    (checksums.uk_nhs, "943 476 5919"),
    (checksums.brazil_cpf, "529.982.247-25"),
    (checksums.spain_dni, "12345678Z"),
    (checksums.spain_dni, "X1234567L"),
    (checksums.france_nir, "2 55 08 14 168 025 38"),
    (checksums.italy_codice_fiscale, "RSSMRA85T10A562S"),
    (checksums.singapore_nric, "S1234567D"),
    (checksums.poland_pesel, "44051401359"),
    (checksums.netherlands_bsn, "111222333"),
    (checksums.sweden_personnummer, "811228-9874"),
]


@pytest.mark.parametrize(("check", "number"), SPECIMENS, ids=[number for _, number in SPECIMENS])
def test_a_specimen_is_valid_and_a_changed_digit_is_not(check: Callable[[str], int], number: str) -> None:
    """The specimen passes; each of the nine other digits in its fourth place from the end fails."""
    place = max(place for place, char in enumerate(number[:-1]) if char.isdigit())

    assert check(number)
    assert not any(
        check(number[:place] + digit + number[place + 1 :]) for digit in "0123456789" if digit != number[place]
    )


@pytest.mark.parametrize(
    "number", ["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "111-11-1111"]
)
def test_numbers_never_issued_are_no_social_security_numbers(number: str) -> None:
    """Area 000, 666, 9xx, group 00 and serial 0000 are refused."""
    assert not checksums.us_ssn(number)


def test_a_taxpayer_number_needs_an_issued_group() -> None:
    """9xx-70 is a taxpayer number, 9xx-10 is not, and neither is a Social Security number."""
    assert checksums.us_itin("912-70-1234")
    assert not checksums.us_itin("912-10-1234")
    assert not checksums.us_ssn("912-70-1234")


CARDS = ("4111111111111111", "378282246310005", "30569309025904", "6011111111111117", "4222222222222222222")
runs = st.lists(st.sampled_from(CARDS) | st.from_regex(r"[0-9]{1,9}", fullmatch=True), min_size=1, max_size=4)


def cards_one_by_one(run: str) -> list[tuple[int, int]]:
    """The first length that fits, tried at each gap in turn, from gap to gap."""
    found, passed = [], 0
    for start in range(len(run)):
        if start < passed or not run[start].isdigit() or (start and run[start - 1].isdigit()):
            continue
        for count in (16, 15, 14, 19, 18, 17):
            places = [place for place in range(start, len(run)) if run[place].isdigit()][:count]
            number = "".join(run[place] for place in places)
            whole = len(places) == count and not run[places[-1] + 1 : places[-1] + 2].isdigit()
            if whole and checksums._CARD_PREFIXES.fullmatch(number) and checksums.luhn(number):
                passed = places[-1] + 1
                found.append((start, passed))
                break
    return found


@given(numbers=runs, gaps=st.lists(st.sampled_from(["", "", " ", "-"]), min_size=80, max_size=80))
def test_cards_in_a_run_of_digits_are_those_a_search_from_each_gap_finds(numbers: list[str], gaps: list[str]) -> None:
    """Whole, grouped oddly, one after the other, and with digits before and after."""
    run = (
        "".join(digit + gap for digit, gap in zip(" ".join(numbers), gaps, strict=False)).replace("  ", " ").strip(" -")
    )
    run = run.replace("- ", "-").replace(" -", "-").replace("--", "-").strip(" -")

    assert list(checksums.payment_cards(run)) == cards_one_by_one(run)


def test_a_dea_number_is_checked() -> None:
    """The published specimen passes, another check digit does not."""
    assert checksums.us_dea("BB1388568")
    assert not checksums.us_dea("BB1388567")


def test_an_iban_ends_where_its_country_says() -> None:
    """Text after the number is not part of it; a letter glued to it makes it something else."""
    assert checksums.iban_length("DE89370400440532013000 thanks") == 22
    assert checksums.iban_length("DE89370400440532013000X") == 0


@given(st.text(alphabet="0123456789", min_size=1, max_size=18), st.integers(1, 9))
def test_luhn_sees_every_single_digit_error(body: str, shift: int) -> None:
    """With its right check digit a number passes, with any other it fails."""
    right = [digit for digit in "0123456789" if checksums.luhn(body + digit)]

    if len(set(body)) > 1:
        assert len(right) == 1
        assert not checksums.luhn(body + str((int(right[0]) + shift) % 10))


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("8.8.8.8", True),
        ("127.0.0.1", False),
        ("255.255.255.0", False),
        ("2001:4860:4860::8888", True),
        ("::1", False),
        ("1.2.3", False),
    ],
)
def test_only_addresses_that_can_belong_to_someone_count(address: str, valid: bool) -> None:
    """Loopback, netmasks and fragments are refused."""
    assert checksums.ip_address(address) is valid
