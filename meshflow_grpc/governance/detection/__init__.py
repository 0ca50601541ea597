"""Detection of attacks, secrets and personal data in text. A signal for policy, never the wall: containment is taint and permission."""

from __future__ import annotations

from meshflow_grpc.governance.detection.finding import CATEGORIES, Finding, ScanResult
from meshflow_grpc.governance.detection.redaction import redact
from meshflow_grpc.governance.detection.scanner import TextScanner

__all__ = ["CATEGORIES", "Finding", "ScanResult", "TextScanner", "redact"]
