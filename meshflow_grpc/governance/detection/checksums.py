# ruff: noqa: E501 - tables: one rule, one line
"""Check digits and validity rules of public number schemes. Pure arithmetic; separators are ignored."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_CARD_PREFIXES = re.compile(
    r"4\d{15}(?:\d{3})?|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17}|35(?:2[89]|[3-8]\d)\d{12}|(?:50|5[6-9]|6\d)\d{10,17}"
)
_CARD_LENGTHS = (16, 15, 14, 19, 18, 17)
"""The likeliest first."""
_VIN_VALUES = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VERHOEFF_PERMUTATION = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_VERHOEFF_PRODUCT = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_CODICE_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23], strict=True))  # fmt: skip


def digits_of(text: str) -> list[int]:
    """The ASCII digits of a text."""
    return [ord(char) - 48 for char in text if "0" <= char <= "9"]


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1 annex B: the Luhn formula over all digits; a number of equal digits is not one."""
    numbers = digits_of(text)
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    total = sum(numbers[-1::-2]) + sum(doubled[n] for n in numbers[-2::-2])
    return total % 10 == 0 and len(set(numbers)) > 1


def payment_cards(run: str) -> Iterator[tuple[int, int]]:
    """Where card numbers (known issuer prefix and length, Luhn) stand in a run of digits with single gaps, each from gap to gap.

    One pass: the Luhn sum of any stretch is a difference of two running sums.
    """
    places = [place for place, char in enumerate(run) if char not in " -"]
    number = run.replace(" ", "").replace("-", "")
    ends = {at for at in range(1, len(places)) if places[at] - places[at - 1] > 1} | {len(places)}
    starts = [0, *sorted(ends - {len(places)})]
    sums = _luhn_sums(number)
    passed = 0
    for start in starts:
        fitting = (end for count in _CARD_LENGTHS if (end := start + count) in ends)
        valid = (end for end in fitting if (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0)
        end = next((end for end in valid if _issued(number, start, end)), 0) if start >= passed else 0
        if end:
            yield places[start], places[end - 1] + 1
            passed = end


def _issued(number: str, start: int, end: int) -> bool:
    return _CARD_PREFIXES.fullmatch(number, start, end) is not None and len(set(number[start:end])) > 1


def _luhn_sums(number: str) -> tuple[list[int], list[int]]:
    """Running sums for numbers that end after an even, and after an odd, number of these digits: their last digit counts once."""
    once = [ord(char) - 48 for char in number]
    twice = [(0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[digit] for digit in once]
    even = [twice[at] if at % 2 == 0 else once[at] for at in range(len(once))]
    odd = [once[at] if at % 2 == 0 else twice[at] for at in range(len(once))]
    return list(accumulate(even, initial=0)), list(accumulate(odd, initial=0))


def iban_length(text: str) -> int:
    """How many leading characters form an IBAN (ISO 13616: country length, mod 97), 0 if none."""
    length = IBAN_LENGTHS.get(text[:2], 0)
    places = [place for place, char in enumerate(text) if char not in " -"][:length]
    if not length or len(places) < length:
        return 0
    end = places[-1] + 1
    compact = "".join(text[place] for place in (*places[4:], *places[:4])).upper()
    if text[end : end + 1].isalnum() or not compact.isascii():
        return 0
    return end if int("".join(str(int(char, 36)) for char in compact)) % 97 == 1 else 0


def us_ssn(text: str) -> bool:
    """Social Security number: area not 000, 666 or 9xx, group not 00, serial not 0000; the well-known specimens are none."""
    number = "".join(map(str, digits_of(text)))
    if number in {"078051120", "219099999", "123121234"} or len(set(number)) == 1:
        return False
    return (
        len(number) == 9
        and number[:3] not in {"000", "666"}
        and number[0] != "9"
        and number[3:5] != "00"
        and number[5:] != "0000"
    )


def us_itin(text: str) -> bool:
    """Taxpayer number: 9xx, group 50-65, 70-88, 90-92, 94-99."""
    number = digits_of(text)
    group = number[3] * 10 + number[4] if len(number) == 9 else 0
    return (
        bool(group)
        and number[0] == 9
        and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99)
    )


def us_npi(text: str) -> bool:
    """National Provider Identifier: Luhn over 80840 + ten digits, first 1 or 2."""
    number = re.sub(r"\D", "", text)
    return len(number) == 10 and number[0] in "12" and luhn("80840" + number)


def us_dea(text: str) -> bool:
    """DEA registration: (d1+d3+d5) + 2*(d2+d4+d6) ends in d7."""
    number = digits_of(text)
    return len(number) == 7 and (sum(number[0:6:2]) + 2 * sum(number[1:6:2])) % 10 == number[6]


def aba_routing(text: str) -> bool:
    """Bank routing number: weights 3, 7, 1 and a valid Federal Reserve prefix."""
    number = digits_of(text)
    if len(number) != 9 or not any(number):
        return False
    prefix = number[0] * 10 + number[1]
    valid = prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    return valid and sum(weight * n for weight, n in zip((3, 7, 1) * 3, number, strict=True)) % 10 == 0


def vin(text: str) -> bool:
    """Vehicle identification number with the check digit of 49 CFR 565."""
    number = text.upper()
    if len(number) != 17 or not any(map(str.isalpha, number)) or any(char not in _VIN_VALUES for char in number):
        return False
    remainder = sum(weight * _VIN_VALUES[char] for weight, char in zip(_VIN_WEIGHTS, number, strict=True)) % 11
    return number[8] == "0123456789X"[remainder]


def verhoeff(text: str) -> bool:
    """The Verhoeff scheme (Aadhaar numbers)."""
    state = 0
    for place, n in enumerate(reversed(digits_of(text))):
        state = int(_VERHOEFF_PRODUCT[state][int(_VERHOEFF_PERMUTATION[place % 8][n])])
    return state == 0


def aadhaar(text: str) -> bool:
    """Twelve digits, the first above 1, Verhoeff."""
    number = digits_of(text)
    return len(number) == 12 and number[0] > 1 and len(set(number)) > 1 and verhoeff(text)


def _weighted(numbers: Sequence[int], weights: Sequence[int]) -> int:
    return sum(weight * n for weight, n in zip(weights, numbers, strict=False))


def uk_nhs(text: str) -> bool:
    """NHS number: ten digits, weights 10 to 2, modulus 11."""
    number = digits_of(text)
    return (
        len(number) == 10 and len(set(number)) > 1 and (11 - _weighted(number, range(10, 1, -1)) % 11) % 11 == number[9]
    )


def brazil_cpf(text: str) -> bool:
    """CPF: two check digits, modulus 11."""
    number = digits_of(text)
    if len(number) != 11 or len(set(number)) == 1:
        return False
    first = _weighted(number[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = _weighted(number[:10], range(11, 1, -1)) * 10 % 11 % 10
    return number[9:] == [first, second]


def spain_dni(text: str) -> bool:
    """DNI or NIE: the letter is the number modulus 23."""
    compact = re.sub(r"[^0-9A-Z]", "", text.upper())
    number = compact[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and compact[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def france_nir(text: str) -> bool:
    """NIR: thirteen digits (Corsica 2A, 2B) and their complement to 97."""
    compact = re.sub(r"[^0-9AB]", "", text.upper()).replace("2A", "19").replace("2B", "18")
    return len(compact) == 15 and compact.isdigit() and 97 - int(compact[:13]) % 97 == int(compact[13:])


def italy_codice_fiscale(text: str) -> bool:
    """Codice fiscale: the last letter checks the fifteen before it."""
    code = text.upper()
    even = sum(int(char, 36) - 10 if char.isalpha() else int(char) for char in code[1:15:2])
    return chr(65 + (sum(_CODICE_ODD[char] for char in code[0:15:2]) + even) % 26) == code[15]


def singapore_nric(text: str) -> bool:
    """NRIC or FIN: weights 2, 7, 6, 5, 4, 3, 2 and the letter tables of the series."""
    series, letter = text[0].upper(), text[-1].upper()
    total = _weighted(digits_of(text), (2, 7, 6, 5, 4, 3, 2)) + (4 if series in "TG" else 3 if series == "M" else 0)
    table = "JZIHGFEDCBA" if series in "ST" else "KLJNPQRTUWX" if series == "M" else "XWUTRQPNMLK"
    return letter == table[10 - total % 11 if series == "M" else total % 11]


def poland_pesel(text: str) -> bool:
    """PESEL: weights 1, 3, 7, 9."""
    number = digits_of(text)
    return len(number) == 11 and (10 - _weighted(number[:10], (1, 3, 7, 9) * 3) % 10) % 10 == number[10]


def netherlands_bsn(text: str) -> bool:
    """BSN: the eleven test."""
    number = digits_of(text)
    return len(number) == 9 and any(number) and (_weighted(number[:8], range(9, 1, -1)) - number[8]) % 11 == 0


def sweden_personnummer(text: str) -> bool:
    """Personnummer: a date and Luhn over the ten digits."""
    number = digits_of(text)[-10:]
    month, day = number[2] * 10 + number[3], number[4] * 10 + number[5]
    return 1 <= month <= 12 and 1 <= day <= 91 and luhn("".join(map(str, number)))


def ip_address(text: str) -> bool:
    """An IPv4 or IPv6 address that can belong to someone: not unspecified, loopback, multicast, or a netmask."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (
        address.is_unspecified or address.is_loopback or address.is_multicast or text.startswith(("255.", "0."))
    )
