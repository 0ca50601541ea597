"""Lists the licences of everything the server installs: writes docs/licences.md, `--check` compares.

Licences come from the installed packages' own metadata. One that is not on the list of those we may ship ends it with exit code 1.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "runtime.lock"
LIST = ROOT / "docs" / "licences.md"
# By words: metadata says the same licence in many ways.
SHIPPABLE = re.compile(
    r"apache|mit|bsd|isc|psf|python software foundation|mozilla public|mpl-2|0bsd|unlicense", re.IGNORECASE
)
HEADER = """\
# Licences

Everything `requirements/runtime.lock` installs on Linux, with the licence its own metadata names. `make licences` writes this list
and refuses licences that would bind those who ship the server; `make sbom` writes a CycloneDX bill of materials to
`build/sbom.json`; `make audit` looks for known vulnerabilities (it asks a public database).

| package | licence |
|---|---|
"""


def locked() -> list[str]:
    """Returns the names in the runtime lock."""
    return re.findall(r"^([A-Za-z0-9_.-]+)==", LOCK.read_text("utf-8"), re.MULTILINE)


def licence_of(name: str) -> str | None:
    """Returns what a package's metadata says; None when it is not installed here (a package of another platform)."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    expressions = list(told.get_all("License-Expression") or told.get_all("License") or ())
    if "License-Expression" in told:
        return str(expressions[0])
    classifiers = [
        text.rsplit(" :: ", 1)[-1] for text in told.get_all("Classifier") or () if text.startswith("License ::")
    ]
    return ", ".join(classifiers) or (str(expressions[0]).partition("\n")[0][:80] if expressions else "not named")


def main(arguments: list[str]) -> int:
    """Writes the list, or with ``--check`` says whether it names what is locked and installed here; 1 when something is wrong."""
    names = locked()
    found = {name: licence for name in names if (licence := licence_of(name)) is not None}
    lines = {f"| {name} | {licence} |" for name, licence in found.items()}
    refused = {name: licence for name, licence in found.items() if not SHIPPABLE.search(licence)}
    for name, licence in refused.items():
        sys.stderr.write(f"{name}: the licence {licence!r} is not one we may ship\n")
    if "--check" not in arguments:
        LIST.write_text(HEADER + "".join(f"{line}\n" for line in sorted(lines)), "utf-8")
        sys.stdout.write(f"{len(found)} packages\n")
        return 1 if refused else 0
    listed = set(re.findall(r"^\| (\S+) \| .*", LIST.read_text("utf-8"), re.MULTILINE)) - {"package"}
    fresh = lines <= set(LIST.read_text("utf-8").splitlines()) and listed <= set(names)
    sys.stderr.write("" if fresh else "docs/licences.md does not name what is locked; run: make licences\n")
    return 0 if fresh and not refused else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
