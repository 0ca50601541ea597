"""The command ``python -m meshflow_grpc.audit BUNDLE --trust KEYS``. Exit codes: 0 verified, 6 verification failed, 2 usage."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from meshflow_grpc.audit.verifier import UsageError, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.audit.report import Report

OK = 0
USAGE = 2
VERIFICATION_FAILED = 6


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Verifies, prints and returns the exit code."""
    out, err = out or sys.stdout, err or sys.stderr
    given = _parser().parse_args(arguments)
    try:
        report = verify_bundle(
            given.bundle,
            _read(given.trust),
            trusted_head=None if given.head is None else _read(given.head),
            expected_runs=given.run,
        )
    except UsageError as error:
        print(f"error: {error}", file=err)
        return USAGE
    if given.output == "json":
        print(json.dumps(report.document(), indent=2), file=out)
    else:
        print(report_text(report), file=out)
    return OK if report.ok else VERIFICATION_FAILED


def report_text(report: Report) -> str:
    """Returns the report for people."""
    marks = {True: "ok    ", False: "FAILED", None: "-     "}
    lines = [
        f"{result.check.value:2} {result.check.name.lower():12} {marks[result.passed]} {result.detail}"
        for result in report.checks
    ]
    sections = [
        ("Found:", [finding.text() for finding in report.findings]),
        ("Erased:", report.erased),
        ("Proved:", report.proved),
        ("Not proved:", report.not_proved),
    ]
    for title, items in sections:
        if items:
            lines += ["", title, *(f"  - {item}" for item in items)]
    if report.findings_total > len(report.findings):
        lines.append(f"  ... and {report.findings_total - len(report.findings)} more")
    lines += ["", f"{report.bundle}: {'verified' if report.ok else 'NOT verified'}"]
    return "\n".join("".join(map(_printable, line)) for line in lines)


def _printable(character: str) -> str:
    """Escapes what could move a terminal's cursor or cannot be printed: ids come from the bundle."""
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m meshflow_grpc.audit", description="Verify an evidence bundle offline."
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the .tar to verify")
    parser.add_argument(
        "--trust",
        type=Path,
        required=True,
        metavar="KEYS",
        help="public keys you trust, one vkey a line, not from the bundle",
    )
    parser.add_argument("--head", type=Path, metavar="CHECKPOINT", help="a signed checkpoint you kept from earlier")
    parser.add_argument("--run", action="append", default=[], metavar="RUN_ID", help="a run that must be in the bundle")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print the result")
    return parser


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not text'}"
        raise UsageError(message) from error
