# ruff: noqa: E501 - tables of samples: one entry, one line
"""Notes and credentials that no rule was written or changed for: other wordings, other shapes, formats of other services."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable

from benchmarks.clinical_notes import clinical_notes
from benchmarks.detector_corpora import Sample

NOTES = (
    "Referral letter. Re: {{name}}, d.o.b. {{dob}}, of {{street}}. Thank you for seeing this pleasant patient, known to our clinic under MRN {{mrn}}.",
    "Nurse line transcript: caller gave her birth date as {{dob}} and her number as {{phone}}. She says the infusion pump (serial {{device}}) keeps beeping.",
    "ED triage. {{name}}, {{old}}, brought in by ambulance on {{date}}. Next of kin reachable on {{phone}}.",
    "Prior authorization request - beneficiary {{name}}, insurance ID {{plan}}, ordering physician NPI {{npi}}, requested {{date}}.",
    "To: billing. Please correct the card on file for the patient {{name}}: {{card}}. The old account no. {{account}} was closed.",
    "Hi, this is {{name}}. I cannot log in to the patient portal; my email is {{email}} and my social is {{ssn}}.",
    "Telehealth session log: client {{ip}} ({{mac}}), server {{ipv6}}, recording at {{url}}, patient record {{mrn}}.",
    "Transport form. Driver licence no. {{licence}}, vehicle registration {{plate}}, chassis number {{vin}}. Patient picked up at {{street}}.",
    "Consent signed by {{name}} on {{date}}; witness Dr. {{name}}. Mailing address: {{street}}, {{state_zip}}.",
    "Lab result for sample of {{date}}: HbA1c 7.9 %. Patient {{name}}, hospital number {{mrn}}, copy to {{email}}.",
    "Reimbursement goes to the patient's bank, IBAN {{iban}}. Questions: fax {{phone}}.",
    "Death certificate draft: {{name}}, {{old}}, resident of ZIP {{zip}}, social security no. {{ssn}}.",
    "Implant registry: device identifier {{device}}, implanted {{date}} by surgeon Dr. {{name}}, medical record no. {{mrn}}.",
    "Ticket 4471: the member ({{plan}}) says the co-pay was charged twice to {{card}}; call back {{phone}} after 5 pm. Diagnosis code E11.9.",
)

SHAPES = (
    "{}", "Authorization: Bearer {}", '{{"token": "{}", "region": "eu"}}', "  - name: SERVICE_TOKEN\n    value: {}\n", "curl -H 'X-Api-Key: {}' https://api.example.org/v1/items",
    "I pasted it into the chat by mistake ({}), can you revoke it?", "ERROR auth failed for token={} after 3 retries", 'client = Client(secret="{}")',
)  # fmt: skip

HARMLESS = (
    "version 2026.11.21+build.{}", "the trace {} took 12 ms", "pod web-{} restarted", "cursor={}&page=3", "integrity sha384-{}", "session {} expired", "blob {} not found in the cache", "ETag: W/\"{}\"",
)  # fmt: skip


def held_out_notes(count: int, seed: int = 29) -> list[Sample]:
    """Clinical and back-office notes in wordings of their own."""
    return clinical_notes(count, seed, NOTES)


def held_out_secrets(count: int, seed: int = 31) -> list[Sample]:
    """Generated credentials in other shapes than the tuned set's, of its formats and of those of other services."""
    chance = random.Random(seed)
    makers = _formats(chance)
    samples: list[Sample] = []
    for place in range(count):
        kind = list(makers)[place % len(makers)]
        before, after = chance.choice(SHAPES).replace("{{", "{").replace("}}", "}").split("{}")
        value = makers[kind]()
        # Of a connection string, the password is the secret.
        secret = value.partition("://svc:")[2].partition("@")[0] or value
        start = len(before) + value.index(secret)
        samples.append(Sample(before + value + after, ((kind, start, start + len(secret)),)))
    return samples


def harmless(count: int, seed: int = 37) -> list[str]:
    """Lines with identifiers, hashes and counters that are no secrets."""
    chance = random.Random(seed)
    letters = "0123456789abcdef"
    lengths = (7, 12, 16, 24, 32, 40)
    return [
        HARMLESS[place % len(HARMLESS)].format("".join(chance.choice(letters) for _ in range(chance.choice(lengths))))
        for place in range(count)
    ]


def _formats(chance: random.Random) -> dict[str, Callable[[], str]]:
    def take(alphabet: str, length: int) -> str:
        return "".join(chance.choice(alphabet) for _ in range(length))

    alnum, hexa = string.ascii_letters + string.digits, "0123456789abcdef"
    url, upper = alnum + "_-", string.ascii_uppercase + string.digits

    def jwt() -> str:
        parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": take(alnum, 12), "exp": 1800000000})
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join((*encoded, take(url, 43)))

    return {
        "aws_access_key": lambda: "ASIA" + take(string.ascii_uppercase + "234567", 16), "github_app": lambda: "ghs_" + take(alnum, 36), "github_oauth": lambda: "gho_" + take(alnum, 36),
        "slack_app": lambda: f"xapp-1-{take(upper, 11)}-{take('0123456789', 13)}-{take(hexa, 64)}", "slack_user": lambda: f"xoxp-{take('0123456789', 12)}-{take('0123456789', 12)}-{take('0123456789', 12)}-{take(hexa, 32)}",
        "slack_webhook": lambda: f"https://hooks.slack.com/services/T{take(upper, 8)}/B{take(upper, 8)}/{take(alnum, 24)}", "stripe_restricted": lambda: "rk_live_" + take(alnum, 24),
        "google_oauth": lambda: "GOCSPX-" + take(url, 28), "openai_service": lambda: "sk-svcacct-" + take(url, 60), "anthropic": lambda: "sk-ant-api03-" + take(url, 80), "pypi": lambda: "pypi-AgEIcHlwaS5vcmc" + take(url, 70),
        "digitalocean": lambda: "dop_v1_" + take(hexa, 64), "shopify": lambda: "shpat_" + take(hexa, 32), "databricks": lambda: "dapi" + take(hexa, 32), "telegram": lambda: f"{take('123456789', 10)}:AA{take(url, 33)}",
        "docker": lambda: "dckr_pat_" + take(url, 27), "linear": lambda: "lin_api_" + take(alnum, 40), "grafana": lambda: "glsa_" + take(alnum, 32) + "_" + take(hexa, 8), "vault": lambda: "hvs." + take(url, 90),
        "newrelic": lambda: "NRAK-" + take(upper, 27), "jwt": jwt, "mongodb": lambda: f"mongodb+srv://svc:{take(alnum, 16)}@cluster0.abcde.mongodb.net", "age": lambda: "AGE-SECRET-KEY-1" + take("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
        "postman": lambda: f"PMAK-{take(hexa, 24)}-{take(hexa, 34)}",
    }  # fmt: skip
