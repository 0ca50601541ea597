"""Microsoft Presidio beside the built-in scanner: its pattern recognizers, and names and places by an installed spaCy pipeline.

Nothing is downloaded: recognizers that would fetch a list of domains (e-mail, URL) are left out, the built-in rules find both, and a
pipeline that is not installed is an error. A scan costs milliseconds, and as much more as the pipeline costs (docs/detectors.md).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from meshflow_grpc.governance.detection.finding import Finding, ScanResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from presidio_analyzer import AnalyzerEngine, RecognizerResult

    from meshflow_grpc.kernel.ports import Scanner

LAYER: Final = "presidio"
LEAST_SCORE: Final = 0.4
REMEMBERED: Final = 256

_LEFT_OUT = ("EmailRecognizer", "UrlRecognizer", "DateRecognizer")
_HEALTH = ("MEDICAL_LICENSE", "US_MBI", "US_NPI", "UK_NHS", "US_HEALTH_INSURANCE_MEMBER_ID", "US_PRESCRIPTION_NUMBER")
_KINDS = {
    "PERSON": "person_name",
    "CREDIT_CARD": "credit_card",
    "IBAN_CODE": "iban",
    "US_BANK_NUMBER": "account_number",
}
_NAMED = {"PERSON", "LOCATION"}
_NER_LABELS = {"PERSON": "PERSON", "PER": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}
_UNUSED_PARTS = ("parser", "tagger", "senter", "attribute_ruler", "lemmatizer")


class PresidioScanner:
    """Finds what the scanner it is given finds, and what Presidio finds beside it. English; shared between threads."""

    def __init__(self, scanner: Scanner, model: str | None = None) -> None:
        """Loads the recognizers, and the pipeline with this name. Takes a second or two; raises ImportError, OSError."""
        self._scanner = scanner
        self._analyzer = _analyzer(model)
        self._entities = _entities(self._analyzer, named=model is not None)
        self._remembered: OrderedDict[str, tuple[Finding, ...]] = OrderedDict()

    def scan_input(self, text: str) -> ScanResult:
        """Scans what goes into a step."""
        return self._with_presidio(text, self._scanner.scan_input)

    def scan_output(self, text: str) -> ScanResult:
        """Scans what a step produced."""
        return self._with_presidio(text, self._scanner.scan_output)

    def _with_presidio(self, text: str, scan: Callable[[str], ScanResult]) -> ScanResult:
        known = scan(text).findings
        taken = [(finding.start, finding.end) for finding in known if finding.category in ("pii", "phi", "secret")]
        added = [
            finding
            for finding in self._found(text)
            if not any(start <= finding.start and finding.end <= end for start, end in taken)
        ]
        if not added:
            return ScanResult(known)
        return ScanResult(tuple(sorted((*known, *added), key=lambda finding: (finding.start, -finding.end))))

    def _found(self, text: str) -> tuple[Finding, ...]:
        """What Presidio finds; an output is often the next step's input, so the latest answers are kept."""
        found = self._remembered.get(text)
        if found is None:
            results = self._analyzer.analyze(text, "en", entities=self._entities, score_threshold=LEAST_SCORE)
            found = self._remembered[text] = tuple(map(_finding, results))
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return found


def _finding(result: RecognizerResult) -> Finding:
    entity = str(result.entity_type)
    category = "phi" if entity in _HEALTH else "pii"
    return Finding(category, _KINDS.get(entity, entity.lower()), result.start, result.end, LAYER)


def _entities(analyzer: AnalyzerEngine, *, named: bool) -> list[str]:
    wanted = set(analyzer.get_supported_entities("en")) - {
        "DATE_TIME",
        "NRP",
        "ORGANIZATION",
        "URL",
        "EMAIL_ADDRESS",
        "UUID",
    }
    return sorted(wanted if named else wanted - _NAMED)


def _analyzer(model: str | None) -> AnalyzerEngine:
    """Presidio's engine on a pipeline that is there already: its own loading would download one that is not."""
    import logging

    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    # It warns of each recognizer of another language.
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    pipeline = spacy.blank("en") if model is None else spacy.load(model, exclude=_UNUSED_PARTS)
    configuration = NerModelConfiguration(model_to_presidio_entity_mapping=_NER_LABELS, default_score=0.85)
    engine: Any = SpacyNlpEngine(ner_model_configuration=configuration)
    engine.nlp = {"en": pipeline}
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    for name in _LEFT_OUT:
        registry.remove_recognizer(name)
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
