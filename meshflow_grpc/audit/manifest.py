"""The manifest against the bundle it describes (check 2). It has no field that is not recomputed here."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from meshflow_grpc.audit.canonical_json import NotCanonicalError, canonical, parse_object
from meshflow_grpc.audit.report import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.audit.archive import Archive
    from meshflow_grpc.audit.entries import EntryAudit
    from meshflow_grpc.audit.heads import Heads
    from meshflow_grpc.audit.report import Report

FILE = "manifest.json"
FORMAT = "meshflow-evidence@v1"
COVERAGES = ("log", "runs")


def read_manifest(archive: Archive, report: Report) -> dict[str, Any] | None:
    """Returns the manifest, or None when it is none of this format."""
    data = archive.read(FILE)
    try:
        manifest = parse_object(data[:-1] if data.endswith(b"\n") else data + b"\n")
    except NotCanonicalError as error:
        report.add(Finding(Check.MANIFEST, FILE, str(error)))
        return None
    if manifest.get("format") != FORMAT or manifest.get("coverage") not in COVERAGES:
        message = f"must be of format {FORMAT} and have coverage log or runs"
        report.add(Finding(Check.MANIFEST, FILE, message, field="format"))
        return None
    return manifest


def check_files(archive: Archive, report: Report, manifest: dict[str, Any]) -> None:
    """Compares each file's name, size and SHA-256 with the manifest."""
    told = manifest.get("files")
    actual = {name: _measure(archive, name) for name in archive.names() if name != FILE}
    if not isinstance(told, dict):
        report.add(Finding(Check.MANIFEST, FILE, "must be an object", field="files"))
        return
    for name in sorted(told.keys() | actual.keys()):
        if name not in actual:
            report.add(Finding(Check.MANIFEST, name, "is in the manifest and not in the bundle"))
        elif name not in told:
            report.add(Finding(Check.MANIFEST, name, "is in the bundle and not in the manifest"))
        elif canonical(told[name]) != canonical(actual[name]):
            report.add(Finding(Check.MANIFEST, name, "does not have the size and SHA-256 that the manifest says"))


def check_statements(report: Report, manifest: dict[str, Any], heads: Heads, entries: EntryAudit) -> None:
    """Compares what else the manifest says with what was found."""
    newest = heads.newest
    expected: dict[str, object] = {
        "format": FORMAT,
        "coverage": manifest["coverage"],
        "files": manifest.get("files"),
        "entries": entries.entries,
        "payloads": entries.payloads.states(),
        "runs": sorted(entries.runs),
    }
    if newest is not None:
        expected["origin"] = newest.origin
        expected["head"] = {"size": newest.size, "root": base64.b64encode(newest.root).decode()}
    for field, message in _differences(manifest, expected, complete=newest is not None):
        report.add(Finding(Check.MANIFEST, FILE, message, field=field))


def _differences(manifest: dict[str, Any], expected: dict[str, object], *, complete: bool) -> Iterator[tuple[str, str]]:
    for field, value in expected.items():
        if field not in manifest or canonical(manifest[field]) != canonical(value):
            yield field, f"says {str(manifest.get(field))[:80]}, the bundle {str(value)[:80]}"
    if complete and manifest.keys() - expected.keys():
        yield min(manifest.keys() - expected.keys()), "is not a field of a manifest"


def _measure(archive: Archive, name: str) -> dict[str, object]:
    digest = sha256()
    for chunk in archive.chunks(name):
        digest.update(chunk)
    return {"bytes": archive.size(name), "sha256": digest.hexdigest()}
