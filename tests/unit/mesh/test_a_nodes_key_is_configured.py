"""The settings of a node's key and certificates: from the environment, checked before anything is served, never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from meshflow_grpc.app.mesh_security import node_credentials
from meshflow_grpc.config import ConfigurationError, Settings
from meshflow_grpc.mesh.node_key import NodeKey

KEY = NodeKey.generate()
PEM = KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node on the offline model, and nothing of this machine."""
    for name in list(os.environ):
        if name.startswith(("MESHFLOW_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_MESH_SLUG", "build.ai")


def refused() -> dict[str, str]:
    """What loading complains about, by variable."""
    with pytest.raises(ConfigurationError) as error:
        node_credentials(Settings.load())
    return {problem.variable: str(problem) for problem in error.value.problems}


def test_the_key_comes_from_a_file_and_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A restart keeps it; `config show` says only that it is set."""
    file = tmp_path / "node.pem"
    file.write_text(PEM)
    monkeypatch.setenv("MESHFLOW_MESH_KEY_FILE", str(file))
    settings = Settings.load()

    assert node_credentials(settings).public_jwk == KEY.public_jwk
    assert PEM.splitlines()[1] not in f"{settings!r} {settings.redacted()}"


def test_a_key_of_another_kind_is_refused_by_name_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what makes a good one."""
    monkeypatch.setenv("MESHFLOW_MESH_KEY", "sekrit")
    said = refused()["MESHFLOW_MESH_KEY"]

    assert "openssl genpkey -algorithm ed25519" in said
    assert "sekrit" not in said


def test_production_wants_a_key_and_trials_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a restart changes is no identity."""
    assert node_credentials(Settings.load()).public_jwk != node_credentials(Settings.load()).public_jwk
    monkeypatch.setenv("MESHFLOW_ENV", "production")
    assert "signs its calls" in refused()["MESHFLOW_MESH_KEY"]
    monkeypatch.delenv("MESHFLOW_MESH_SLUG")
    assert "MESHFLOW_MESH_KEY" not in refused()


def test_a_certificate_comes_with_its_key_and_from_files_that_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Half of it, a file that is gone, and one that is no certificate."""
    rubbish = tmp_path / "x.pem"
    rubbish.write_text("x")
    monkeypatch.setenv("MESHFLOW_MESH_CERT_FILE", str(rubbish))
    assert "go together" in refused()["MESHFLOW_MESH_CERT_KEY_FILE"]
    monkeypatch.setenv("MESHFLOW_MESH_CERT_KEY_FILE", str(tmp_path / "nowhere"))
    assert "no file at" in refused()["MESHFLOW_MESH_CERT_KEY_FILE"]
    monkeypatch.setenv("MESHFLOW_MESH_CERT_KEY_FILE", str(rubbish))
    assert "holds no certificate" in refused()["MESHFLOW_MESH_CERT_FILE"]
