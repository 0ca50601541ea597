"""Every package the server installs is locked with hashes, listed with its licence, and in the bill of materials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools import licences

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_of_licences_names_what_is_locked(capsys: pytest.CaptureFixture[str]) -> None:
    """`python tools/licences.py --check`."""
    assert licences.main(["--check"]) == 0, capsys.readouterr().err


def test_a_licence_that_binds_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A package under the GPL is named."""
    monkeypatch.setattr(licences, "licence_of", lambda name: "GPL-3.0-only" if name == "rich" else "MIT")
    assert licences.main(["--check"]) == 1
    assert "rich: the licence 'GPL-3.0-only' is not one we may ship" in capsys.readouterr().err


def test_every_locked_package_has_a_hash_and_no_lock_names_a_host() -> None:
    """What is installed is what was reviewed, wherever it comes from."""
    for lock in sorted((ROOT / "requirements").glob("*.lock")):
        text = lock.read_text("utf-8")
        requirements = re.split(r"\n(?=\S)", text.strip())
        assert all("--hash=sha256:" in requirement for requirement in requirements), lock
        assert "://" not in text, lock


def test_the_bill_of_materials_names_every_package(tmp_path: Path) -> None:
    """`make sbom`."""
    target = tmp_path / "sbom.json"
    command = [Path(sys.executable).with_name("cyclonedx-py"), "requirements", licences.LOCK, "--output-format", "JSON"]
    subprocess.run([*command, "--output-file", target], check=True, capture_output=True)
    components = {component["name"] for component in json.loads(target.read_text())["components"]}
    assert components == set(licences.locked())
