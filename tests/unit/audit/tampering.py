"""Takes a bundle apart, and puts it together again as a forger would: with a manifest that fits."""

from __future__ import annotations

import io
import json
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from meshflow_grpc.audit import Report, verify_bundle
from meshflow_grpc.ledger.canonical import encode
from meshflow_grpc.ledger.deterministic_tar import tar_chunks
from tests.unit.audit.bundles import TRUST

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(bundle: bytes) -> dict[str, bytes]:
    """Reads a bundle with the standard library's tar."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def packed(files: dict[str, bytes], **statements: object) -> bytes:
    """Returns a bundle of files, with its manifest's hashes made to fit and some statements replaced."""
    manifest: dict[str, Any] = json.loads(files["manifest.json"]) | statements
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": sha256(content).hexdigest()}
        for name, content in files.items()
        if name != "manifest.json"
    }
    return b"".join(tar_chunks(files | {"manifest.json": encode(manifest) + b"\n"}))


def lines(content: bytes) -> list[bytes]:
    """The lines of a file."""
    return content.splitlines(keepends=True)


def verified(path: Path, bundle: bytes, **options: Any) -> Report:
    """Writes a bundle and verifies it."""
    file = path / "bundle.tar"
    file.write_bytes(bundle)
    return verify_bundle(file, TRUST, **options)


def found(report: Report) -> str:
    """All findings as text."""
    return "\n".join(finding.text() for finding in report.findings)
