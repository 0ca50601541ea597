"""tools/check_protos.py compares proto/ with the last release, and never skips that in silence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVENT = Path("proto/meshflow/v1/event.proto")
LAST_FIELD = "  optional string tool = 20;\n"


class Checkout:
    """A repository with our protos, of which a test makes a history."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("proto", "tools", "buf.yaml", "pyproject.toml"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, path / name)
        self.say("CHANGELOG.md", "# Changelog\n\n## Unreleased\n")
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> None:
        """Runs git as nobody in particular."""
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=self.path, check=True, capture_output=True)

    def commit(self) -> None:
        """Commits everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")

    def say(self, name: str, text: str) -> None:
        """Writes a file."""
        (self.path / name).write_text(text, encoding="utf-8")

    def edit(self, name: Path, change: Callable[[str], str]) -> None:
        """Changes a file; a change that changes nothing is a mistake."""
        before = (self.path / name).read_text(encoding="utf-8")
        assert change(before) != before
        self.say(str(name), change(before))

    def check(self) -> subprocess.CompletedProcess[str]:
        """Runs the tool."""
        return subprocess.run([sys.executable, "tools/check_protos.py"], cwd=self.path, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Before the first release."""
    return Checkout(tmp_path)


def released(checkout: Checkout, version: str) -> None:
    """Says that a version was released."""
    checkout.edit(
        Path("CHANGELOG.md"),
        lambda text: text.replace("## Unreleased\n", f"## Unreleased\n\n## {version} (2026-12-01)\n"),
    )


def test_before_the_first_release_there_is_nothing_to_break(checkout: Checkout) -> None:
    """And while the first one is being made: pyproject.toml names it, its tag does not exist yet."""
    assert "nothing was released yet" in checkout.check().stdout
    released(checkout, "0.1.0")
    outcome = checkout.check()
    assert (outcome.returncode, "nothing was released yet" in outcome.stdout) == (0, True), outcome.stderr


def test_a_new_field_is_compatible_and_a_changed_one_is_not(checkout: Checkout) -> None:
    """Against the tag of the last release."""
    released(checkout, "0.1.0")
    checkout.git("tag", "v0.1.0")
    checkout.edit(
        EVENT, lambda text: text.replace(LAST_FIELD, f"{LAST_FIELD}  // More.\n  optional string more = 4000;\n")
    )
    outcome = checkout.check()
    assert (outcome.returncode, "compatible with v0.1.0" in outcome.stdout) == (0, True), (
        outcome.stdout + outcome.stderr
    )

    checkout.edit(EVENT, lambda text: text.replace("optional string tool = 20;", "optional int32 tool = 20;"))
    outcome = checkout.check()
    assert outcome.returncode != 0
    assert "event.proto" in outcome.stdout
    assert '"tool"' in outcome.stdout


def test_a_clone_without_the_tag_is_told_to_fetch_it(checkout: Checkout) -> None:
    """Work after a release, in a clone that came without tags, would otherwise be compared with nothing."""
    released(checkout, "0.1.0")
    released(checkout, "0.2.0")
    checkout.edit(Path("pyproject.toml"), lambda text: text.replace('version = "0.1.0"', 'version = "0.2.0"'))
    outcome = checkout.check()
    assert outcome.returncode != 0
    assert "no tag v0.1.0; run: git fetch --tags" in outcome.stderr
