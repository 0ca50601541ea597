# ruff: noqa: E501 - tables of samples: one entry, one line
"""Clinical and back-office notes with generated identifiers: the text-borne Safe Harbor kinds, several wordings of each."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.detector_corpora import Sample, _filled

TEMPLATES = (
    "Pt {{name}} (MRN {{mrn}}) was admitted on {{date}} with chest pain. DOB {{dob}}. Contact: {{phone}}.",
    "Discharge summary for {{name}}, born {{dob}}, medical record number {{mrn}}. Follow-up visit booked for {{date}}; email {{email}}.",
    "Dr. {{name}} saw the patient at {{street}}, {{state_zip}}. Medicare beneficiary ID {{plan}}; SSN {{ssn}}.",
    "Patient: {{name}}\nDate of birth: {{dob}}\nSocial security number: {{ssn}}\nHealth plan ID: {{plan}}\nPhone: {{phone}}",
    "The pacemaker, serial number {{device}}, was checked on {{date}}. Patient {{name}} lives at {{street}}.",
    "Claim for member ID {{plan}}, account number {{account}}, billed by NPI {{npi}} on {{date}}.",
    "Mrs. {{name}} is a {{old}} female prescribed warfarin; her daughter can be reached at {{phone}}.",
    "Driver's license {{licence}} and license plate {{plate}} were recorded; VIN {{vin}} belongs to the patient's car.",
    "Portal login for patient {{name}} came from {{ip}} and {{ipv6}}; device MAC {{mac}}. See {{url}} for the log.",
    "Refund to IBAN {{iban}} or card {{card}}; the patient wrote from {{email}}.",
    "Chart {{mrn}}: {{name}} was discharged home on {{date}}. Fax results to {{phone}}.",
    "My name is {{name}}, my SSN is {{ssn}} and my card number is {{card}}. Please call {{phone}}.",
    "Insulin pump device ID {{device}} reported to the clinic by {{email}} on {{date}}; patient zip code {{zip}}.",
    "Subscriber {{plan}} - patient {{name}}, {{old}} man, seen by Dr. {{name}} for a diagnosis of COPD.",
)


def _vin(chance: random.Random) -> str:
    values = dict(
        zip(
            "0123456789ABCDEFGHJKLMNPRSTUVWXYZ",
            [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)],
            strict=True,
        )
    )
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    body = [chance.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(17)]
    body[8] = "0"
    body[8] = "0123456789X"[sum(weight * values[char] for weight, char in zip(weights, body, strict=True)) % 11]
    return "".join(body)


def _npi(chance: random.Random) -> str:
    body = "80840" + str(chance.randint(1, 2)) + "".join(str(chance.randint(0, 9)) for _ in range(8))
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    total = sum(doubled[int(n)] if place % 2 == 0 else int(n) for place, n in enumerate(reversed(body)))
    return body[5:] + str(-total % 10)


def clinical_notes(count: int, seed: int = 5, templates: tuple[str, ...] = TEMPLATES) -> list[Sample]:
    """Notes with known spans; deterministic for a seed and a version of Faker."""
    from faker import Faker  # type: ignore[import-not-found, unused-ignore]

    chance, fake = random.Random(seed), Faker("en_US")
    Faker.seed(seed)
    fill: dict[str, Any] = {
        "name": lambda: f"{fake.first_name()} {fake.last_name()}", "mrn": lambda: fake.bothify(chance.choice(("########", "??-######", "#######"))).upper(),
        "date": lambda: fake.date(chance.choice(("%m/%d/%Y", "%Y-%m-%d", "%B %d, %Y", "%d %b %Y"))), "dob": lambda: fake.date(chance.choice(("%m/%d/%Y", "%Y-%m-%d", "%B %d, %Y"))),
        "phone": lambda: chance.choice((fake.numerify("(###) 5##-####"), fake.numerify("212-5##-####"), fake.numerify("+1 415 5## ####"), fake.numerify("+44 20 7### ####"))),
        "email": fake.email, "street": fake.street_address, "state_zip": lambda: f"{fake.city()}, {fake.state_abbr(include_territories=False)} {fake.zipcode()}", "zip": fake.zipcode,
        "plan": lambda: fake.bothify(chance.choice(("???#########", "#########", "1EG4-TE5-MK7#"))).upper(), "ssn": fake.ssn, "account": lambda: fake.numerify("##########"),
        "device": lambda: fake.bothify("??-#######").upper(), "npi": lambda: _npi(chance), "old": lambda: f"{chance.randint(90, 104)}-year-old", "licence": lambda: fake.bothify("?#######").upper(),
        "plate": lambda: fake.bothify("???-####").upper(), "vin": lambda: _vin(chance), "ip": fake.ipv4_public, "ipv6": fake.ipv6, "mac": fake.mac_address, "url": fake.uri,
        "iban": fake.iban, "card": fake.credit_card_number,
    }  # fmt: skip
    return [_filled(chance.choice(templates), fill) for _ in range(count)]
