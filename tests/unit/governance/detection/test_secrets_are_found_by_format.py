# ruff: noqa: E501 - tables of samples: one entry, one line
"""Each credential format is found with its exact place; hashes, identifiers and placeholders are not."""

from __future__ import annotations

import base64
import random
import string

import pytest

from meshflow_grpc.governance.detection import TextScanner

_CHANCE = random.Random(42)
_HEX = "0123456789abcdef"
_ALNUM = string.ascii_letters + string.digits
_URL = _ALNUM + "_-"


def _of(alphabet: str, length: int) -> str:
    return "".join(_CHANCE.choice(alphabet) for _ in range(length - 1)) + _CHANCE.choice(_HEX)


def _jwt() -> str:
    parts = [b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1234567890","role":"admin"}', _of(_ALNUM, 32).encode()]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


# Assembled here, so that no committed line looks like a credential.
TOKENS = {
    "aws_access_key": "AK" + "IA" + "".join(_CHANCE.choice("ABCDEFGHIJ234567") for _ in range(16)),
    "github_token": "gh" + "p_" + _of(_ALNUM, 36),
    "github_token fine-grained": "github" + "_pat_" + _of(_ALNUM, 22) + "_" + _of(_ALNUM, 59),
    "gitlab_token": "gl" + "pat-" + _of(_URL, 20),
    "slack_token": "xo" + "xb-123456789012-" + _of(_ALNUM, 24),
    "slack_webhook": "https://hooks.slack" + ".com/services/T" + _of(string.ascii_uppercase, 8) + "/B" + _of(string.ascii_uppercase, 8) + "/" + _of(_ALNUM, 24),
    "stripe_key": "sk" + "_live_" + _of(_ALNUM, 24),
    "google_api_key": "AI" + "za" + _of(_URL, 35),
    "anthropic_key": "sk-" + "ant-api03-" + _of(_URL, 80),
    "openai_key": "sk-" + "proj-" + _of(_URL, 64),
    "openai_key classic": "sk-" + _of(_ALNUM, 48),
    "groq_key": "gs" + "k_" + _of(_ALNUM, 52),
    "huggingface_token": "h" + "f_" + _of(string.ascii_letters, 34),
    "npm_token": "np" + "m_" + _of(_ALNUM, 36),
    "docker_token": "dckr" + "_pat_" + _of(_URL, 27),
    "sendgrid_key": "S" + "G." + _of(_URL, 22) + "." + _of(_URL, 43),
    "mailgun_key": "ke" + "y-" + _of(_HEX, 32),
    "twilio_key": "S" + "K" + _of(_HEX, 32),
    "shopify_token": "shp" + "at_" + _of(_HEX, 32),
    "digitalocean_token": "do" + "p_v1_" + _of(_HEX, 64),
    "databricks_token": "da" + "pi" + _of(_HEX, 32),
    "vault_token": "hv" + "s." + _of(_URL, 90),
    "newrelic_key": "NR" + "AK-" + _of(string.ascii_uppercase + string.digits, 27),
    "linear_key": "lin" + "_api_" + _of(_ALNUM, 40),
    "postman_key": "PM" + "AK-" + _of(_HEX, 24) + "-" + _of(_HEX, 34),
    "telegram_token": "123456789:" + "AA" + _of(_URL, 33),
    "meshflow_api_key": "m" + "f_" + _of(_ALNUM, 8) + "_" + _of(_URL, 43),
    "azure_storage_key": "Account" + "Key=" + _of(_ALNUM, 86) + "==",
    "jwt": _jwt(),
}  # fmt: skip
LABELLED = {
    "aws_secret_key": ("aws_secret_access_key = ", _of(_ALNUM, 40)),
    "password": ("password: ", "Tr0ub4dor&3"),
    "connection_string": ("postgresql://app:", "s3cr3t-Pass9"),
    "bearer_token": ("Authorization: Bearer ", _of(_ALNUM, 40)),
    "generic_secret": ("client_secret: ", _of(_ALNUM, 32)),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_is_found_where_it_stands(scanner: TextScanner, name: str) -> None:
    """The finding has the format's kind and covers the token, no matter what surrounds it."""
    text = f"Deploy with {TOKENS[name]} today"

    findings = scanner.scan_input(text).of("secret")

    assert any(
        finding.kind == name.split(maxsplit=1)[0] and finding.start >= 12 and finding.end == 12 + len(TOKENS[name])
        for finding in findings
    )


@pytest.mark.parametrize("kind", LABELLED)
def test_a_value_given_to_a_secrets_name_is_found(scanner: TextScanner, kind: str) -> None:
    """Only the value is marked, so that redaction keeps the name."""
    label, value = LABELLED[kind]
    text = f"{label}{value}{'@db.internal:5432/app' if kind == 'connection_string' else ' '}"

    findings = scanner.scan_output(text).of("secret")

    assert (kind, len(label), len(label) + len(value)) in {
        (finding.kind, finding.start, finding.end) for finding in findings
    }


def test_a_private_key_is_covered_to_its_last_line(scanner: TextScanner) -> None:
    """Header, body and footer of a PEM block are one finding; the text around it is not part of it."""
    block = (
        "-----BEGIN RSA "
        "PRIVATE KEY-----\n"
        + "\n".join(_of(_ALNUM + "+/", 64) for _ in range(20))
        + "\n-----END RSA "
        + "PRIVATE KEY-----"
    )
    text = f"before\n{block}\nafter"

    (finding,) = [finding for finding in scanner.scan_input(text).of("secret") if finding.kind == "private_key"]

    assert text[finding.start : finding.end] == block


def test_hashes_and_identifiers_are_no_secrets(scanner: TextScanner) -> None:
    """Commit ids, digests, UUIDs and versioned addresses raise no alarm."""
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    lines = (
        f"commit {digest[:40]}", f"sha256:{digest}", f"image@sha256:{digest}", "request 550e8400-e29b-41d4-a716-446655440000", f"etag: {digest[:32]}",
        f"https://example.org/app.{digest[:20]}.js?v={digest[:8]}", "run_0190f5fe-7c00-7a3b-9c11-2b8f0c1d2e3f",
    )  # fmt: skip

    assert [line for line in lines if scanner.scan_input(line).of("secret")] == []


@pytest.mark.parametrize(
    "text",
    ["password: ********", "password = os.environ['DB_PASSWORD']", "api_key: ${API_KEY}", "token: <your-token>", "The password is required.", "secret: changeme", "the token budget is 20000"],
)  # fmt: skip
def test_placeholders_are_no_secrets(scanner: TextScanner, text: str) -> None:
    """Masked values, references to the environment and prose are left alone."""
    assert scanner.scan_input(text).of("secret") == ()
