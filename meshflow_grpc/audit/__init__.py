"""Verifies an evidence bundle offline: a second implementation of the ledger's format, which shares no code with the first.

Needs nothing but the standard library and ``cryptography``, and imports nothing of the rest of this package.
"""

from __future__ import annotations

from meshflow_grpc.audit.report import CheckResult, Finding, Report
from meshflow_grpc.audit.verifier import verify_bundle

__all__ = ["CheckResult", "Finding", "Report", "verify_bundle"]
