"""The repository installs anywhere: no file names a package registry's host or a path of one machine."""

from __future__ import annotations

import re

import pytest

from tests.architecture.repository import committed_files, shown

# Written in parts, so that this file passes its own test.
REGISTRY_HOSTS = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("yarnpkg", "com"),
    ("crates", "io"),
    ("proxy.golang", "org"),
    ("sum.golang", "org"),
    ("repo1.maven", "org"),
    ("repo.maven.apache", "org"),
    ("deb.debian", "org"),
)
REGISTRY = re.compile("|".join(re.escape(f"{name}.{domain}") for name, domain in REGISTRY_HOSTS))
MACHINE_PATH = re.compile(rf"(?<![\w.~$}}-])/(?:{'|'.join(('work', 'root', 'home', 'Users', 'opt/wheels'))})/")


@pytest.mark.parametrize("pattern", [REGISTRY, MACHINE_PATH], ids=["registry host", "machine path"])
def test_no_committed_file_names(pattern: re.Pattern[str]) -> None:
    """No committed text file holds a registry's host or an absolute path of a developer's machine."""
    found = {
        f"{shown(path)}: {match.group()}"
        for path in committed_files()
        if path.suffix not in {".binpb", ".png"} and (match := pattern.search(path.read_text(errors="replace")))
    }

    assert found == set()


def test_every_locked_package_is_pinned_and_hashed() -> None:
    """Each requirement of the lock files is an exact version with at least one hash."""
    locks = [path for path in committed_files() if path.suffix == ".lock" and path.parent.name == "requirements"]

    assert {path.name for path in locks} == {"runtime.lock", "dev.lock"}
    for path in locks:
        entries = re.split(r"\n(?=\S)", path.read_text().strip())
        loose = [
            entry.split()[0] for entry in entries if not re.match(r"[\w.-]+==\S+.*--hash=sha256:", entry, re.DOTALL)
        ]
        assert loose == []
