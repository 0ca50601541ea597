"""Configuration comes from the environment, and everything wrong with it is told at once."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from meshflow_grpc.config import (
    ConfigurationError,
    Settings,
    load_ledger_settings,
    source_of,
)
from meshflow_grpc.config.signing import development_verifiers, log_keys
from meshflow_grpc.ledger.payload_cipher import PayloadKeys
from tests.fakes.log_keys import KEY, NEW_KEY


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test; the offline model is on."""
    for name in list(os.environ):
        if name.startswith(("MESHFLOW_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MESHFLOW_MOCK", "1")


def problems_of(**overrides: object) -> dict[str, str]:
    """Returns what loading complains about: variable to text."""
    with pytest.raises(ConfigurationError) as raised:
        Settings.load(**overrides)
    return {problem.variable: str(problem) for problem in raised.value.problems}


def test_defaults_serve_this_machine_alone() -> None:
    """Without settings the server listens on loopback, keeps its ledger here and starts Envoy on a free gRPC port."""
    settings = Settings.load()

    assert (settings.host, settings.port, settings.grpc_port, settings.use_envoy) == ("127.0.0.1", 8765, 0, True)
    assert settings.ledger_db == "meshflow_runs.db"
    assert (settings.env, settings.log_format, settings.allow_inline_workflows) == ("development", "console", True)
    assert settings.warnings() == ()


def test_payload_keys_are_read_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the variable or a file, several with the first one in front; offline commands read them too."""
    old, new = base64.b64encode(b"o" * 32).decode(), base64.b64encode(b"n" * 32).decode()
    assert not Settings.load().payload_keys
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", f"{new}, {old}")
    settings = Settings.load()
    assert settings.payload_keys.ids == PayloadKeys((b"n" * 32, b"o" * 32)).ids
    assert settings.redacted()["MESHFLOW_PAYLOAD_KEY"] == "(set, not shown)"
    assert new not in repr(settings)
    monkeypatch.delenv("MESHFLOW_PAYLOAD_KEY")
    (tmp_path / "keys").write_text(f"{new}\n{old}\n")
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY_FILE", str(tmp_path / "keys"))
    assert load_ledger_settings().payload_keys.ids == settings.payload_keys.ids


@pytest.mark.parametrize(
    ("value", "problem"),
    [("c2hvcnQ=", "5 bytes"), ("not base64!", "not base64"), (f"{'A' * 43}= {'A' * 43}=", "twice"), (",", "no key")],
)
def test_a_payload_key_that_is_none_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    """The problem says what is wrong with it, and nothing of the key."""
    monkeypatch.setenv("MESHFLOW_PAYLOAD_KEY", value)
    told = problems_of()["MESHFLOW_PAYLOAD_KEY"]
    assert problem in told
    assert value == "," or value not in told


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An override wins, one that is None does not."""
    monkeypatch.setenv("MESHFLOW_PORT", "9000")

    assert Settings.load(port=9001).port == 9001
    assert Settings.load(port=None).port == 9000


def test_without_envoy_grpc_has_its_own_port() -> None:
    """The sidecar layout serves gRPC on 50051 unless told otherwise."""
    assert Settings.load(use_envoy=False).grpc_port == 50051
    assert Settings.load(use_envoy=False, grpc_port=7000).grpc_port == 7000


def test_the_ledger_lies_in_the_data_directory_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty MESHFLOW_LEDGER_DB counts as unset."""
    monkeypatch.setenv("MESHFLOW_DATA_DIR", "some/where")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", "")
    assert load_ledger_settings().ledger_db == str(Path("some/where/meshflow_runs.db"))

    monkeypatch.setenv("MESHFLOW_LEDGER_DB", "other.db")
    assert load_ledger_settings().ledger_db == "other.db"
    assert load_ledger_settings(ledger_db="third.db").ledger_db == "third.db"


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad values, unknown names, unreadable secrets and a missing provider come in one error."""
    monkeypatch.delenv("MESHFLOW_MOCK")
    monkeypatch.setenv("MESHFLOW_PORT", "99999")
    monkeypatch.setenv("MESHFLOW_ENV", "staging")
    monkeypatch.setenv("MESHFLOW_LEGDER_DB", "x.db")
    monkeypatch.setenv("MESHFLOW_ENVOY", "no/such/envoy")
    monkeypatch.setenv("MESHFLOW_ANTHROPIC_BASE_URL", "api.example")
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", "no/such/file")

    problems = problems_of(shutdown_grace_s=-1)

    assert set(problems) == {
        "MESHFLOW_PORT",
        "MESHFLOW_ENV",
        "MESHFLOW_LEGDER_DB",
        "MESHFLOW_ENVOY",
        "MESHFLOW_ANTHROPIC_BASE_URL",
        "MESHFLOW_SHUTDOWN_GRACE_S",
        "ANTHROPIC_API_KEY_FILE",
        "ANTHROPIC_API_KEY",
    }
    assert "did you mean MESHFLOW_LEDGER_DB?" in problems["MESHFLOW_LEGDER_DB"]
    assert "99999" in problems["MESHFLOW_PORT"]


def test_no_provider_is_a_problem_that_names_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the offline model nor a key: nothing could run."""
    monkeypatch.delenv("MESHFLOW_MOCK")
    assert "set MESHFLOW_MOCK=1 or ANTHROPIC_API_KEY" in problems_of()["ANTHROPIC_API_KEY"]

    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")
    assert Settings.load().anthropic_api_key is not None


def test_production_demands_authentication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every address; development allows its absence, loudly where others can reach the port."""
    monkeypatch.setenv("MESHFLOW_ENV", "Production")
    monkeypatch.setenv("MESHFLOW_SIGNING_KEY", KEY.skey())
    assert "authentication" in problems_of()["MESHFLOW_AUTH"]
    monkeypatch.setenv("MESHFLOW_AUTH", "api_key")
    assert "missing" in problems_of()["MESHFLOW_API_KEYS_FILE"]
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    monkeypatch.setenv("MESHFLOW_API_KEYS_FILE", str(keys))
    settings = Settings.load(host="0.0.0.0")
    assert (settings.log_format, settings.allow_inline_workflows, settings.warnings()) == ("json", False, ())

    monkeypatch.setenv("MESHFLOW_AUTH", "jwt")
    assert {"MESHFLOW_JWT_JWKS_FILE", "MESHFLOW_JWT_AUDIENCE", "MESHFLOW_JWT_ISSUER"} <= set(problems_of())

    monkeypatch.setenv("MESHFLOW_AUTH", "none")
    monkeypatch.setenv("MESHFLOW_ENV", "development")
    assert "without authentication" in Settings.load(host="0.0.0.0").warnings()[0]


def test_production_signs_with_a_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one it does not start, and it never makes one; a key that is not valid is named without being shown."""
    (tmp_path / "keys.json").write_text("{}")
    monkeypatch.setenv("MESHFLOW_AUTH", "api_key")
    monkeypatch.setenv("MESHFLOW_API_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("MESHFLOW_ENV", "production")
    assert "MESHFLOW_SIGNING_KEY_FILE" in problems_of()["MESHFLOW_SIGNING_KEY"]

    (tmp_path / "key").write_text(f"{KEY.skey()}\n")
    monkeypatch.setenv("MESHFLOW_SIGNING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("MESHFLOW_PREVIOUS_SIGNING_KEY", NEW_KEY.verifier.vkey)
    keys = log_keys(Settings.load())
    assert (keys.origin, keys.signing[0].key_id, keys.trusted) == (KEY.name, KEY.key_id, (NEW_KEY.verifier,))

    (tmp_path / "key").write_text(KEY.skey()[:-4])
    with pytest.raises(ConfigurationError) as caught:
        log_keys(Settings.load())
    assert KEY.skey()[-30:-4] not in str(caught.value)


def test_development_makes_a_key_beside_the_ledger_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key at the next start, under the name that the log is to have."""
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", str(tmp_path / "sub" / "ledger.db"))
    monkeypatch.setenv("MESHFLOW_LOG_ORIGIN", "log.example.org/dev")
    keys = log_keys(Settings.load())
    assert keys.origin == keys.signing[0].name == "log.example.org/dev"
    file = tmp_path / "sub" / "ledger.db.signing-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (
        log_keys(Settings.load()).verifiers
        == keys.verifiers
        == development_verifiers(str(tmp_path / "sub/ledger.db"), tmp_path)
    )


def test_a_secret_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ANTHROPIC_API_KEY_FILE names a file; the newline at its end is not part of the key."""
    file = tmp_path / "key"
    file.write_text("sk-from-file\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(file))

    key = Settings.load().anthropic_api_key

    assert key is not None
    assert key.get_secret_value() == "sk-from-file"
    assert source_of("ANTHROPIC_API_KEY") == "file"

    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-direct")
    assert "set only one of them" in problems_of()["ANTHROPIC_API_KEY_FILE"]


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the redacted form, repr, nor a complaint holds a key or a password."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", "postgresql://user:hunter2@db/meshflow")
    monkeypatch.setenv("MESHFLOW_ANTHROPIC_BASE_URL", "https://user:hunter2@proxy")

    settings = Settings.load()
    shown = str(settings.redacted()) + repr(settings) + str(settings)
    assert "sk-secret" not in shown
    assert "hunter2" not in shown
    assert settings.redacted()["MESHFLOW_LEDGER_DB"] == "postgresql://user:***@db/meshflow"

    monkeypatch.setenv("MESHFLOW_ANTHROPIC_BASE_URL", "ftp://user:hunter2@proxy")
    assert "hunter2" not in str(problems_of())
    monkeypatch.setenv("MESHFLOW_WEBHOOK_SECRET", "s3cret")
    assert "must have at least 16 characters;" in problems_of()["MESHFLOW_WEBHOOK_SECRET"]


def test_floors_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier, and one or several regulations, in any case and order; shown as they are in force."""
    monkeypatch.setenv("MESHFLOW_ZT_TIER", "Enterprise")
    monkeypatch.setenv("MESHFLOW_ZT_REGULATION", "SOX, hipaa")
    settings = Settings.load()

    assert (settings.zt_tier, settings.regulations) == ("enterprise", ("hipaa", "sox"))
    assert settings.redacted()["MESHFLOW_ZT_REGULATION"] == "hipaa,sox"


def test_a_floor_nobody_knows_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error must not leave runs without their floor."""
    monkeypatch.setenv("MESHFLOW_ZT_TIER", "platinum")
    monkeypatch.setenv("MESHFLOW_ZT_REGULATION", "sox,hippa")

    assert "foundation" in problems_of()["MESHFLOW_ZT_TIER"]
    assert "gdpr, hipaa, sox" in problems_of()["MESHFLOW_ZT_REGULATION"]


def test_revoked_agents_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Separated by commas; spaces and empty places do not count."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_REVOKED_AGENTS", "writer, ,critic")
    assert Settings.load().revoked == {"writer", "critic"}
    monkeypatch.delenv("MESHFLOW_REVOKED_AGENTS")
    assert Settings.load().revoked == frozenset()


def test_origins_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheme, host and port; a wildcard or a path would permit other pages than meant."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    assert Settings.load().origins == ()
    monkeypatch.setenv("MESHFLOW_ALLOWED_ORIGINS", "https://console.example.com, http://localhost:3000")
    assert Settings.load().origins == ("https://console.example.com", "http://localhost:3000")
    for wrong in ("*", "https://*.example.com", "https://console.example.com/", "console.example.com", ","):
        monkeypatch.setenv("MESHFLOW_ALLOWED_ORIGINS", wrong)
        assert "scheme, host and port alone" in problems_of()["MESHFLOW_ALLOWED_ORIGINS"]


def test_origins_without_envoy_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would answer the preflight."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_USE_ENVOY", "0")
    monkeypatch.setenv("MESHFLOW_ALLOWED_ORIGINS", "https://console.example.com")
    assert "MESHFLOW_USE_ENVOY is 0" in problems_of()["MESHFLOW_ALLOWED_ORIGINS"]


def test_a_node_that_peers_reach_without_tls_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of peers would cross the network in the clear; where that is allowed, it is warned of."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_MESH_SLUG", "build.ai")
    monkeypatch.setenv("MESHFLOW_MESH_ENDPOINT", "build.internal:8765")
    assert Settings.load(host="127.0.0.1").warnings() == ()
    assert "in the clear" in problems_of(host="0.0.0.0")["MESHFLOW_TLS_CERT_FILE"]
    monkeypatch.setenv("MESHFLOW_MESH_ALLOW_PLAINTEXT", "1")
    assert any("build.ai" in text and "without TLS" in text for text in Settings.load(host="0.0.0.0").warnings())
