# ruff: noqa: E501 - tables of samples: one entry, one line
"""Measures the detectors: recall and false alarms per set and kind, and CPU per text. `python -m benchmarks.detectors [--misses SET]`."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from benchmarks import detector_corpora as corpora
from benchmarks.clinical_notes import clinical_notes
from benchmarks.detector_peers import InputScanner
from meshflow_grpc.governance.detection import TextScanner

ATTACKS = ("injection", "jailbreak", "exfiltration", "prompt_leak")
DATA = ("pii", "phi")
PROSE = (
    "The committee met on Tuesday to weigh the two drafts; revenue grew by 12.4 per cent while support tickets fell from 1,204 to 987, and nobody "
    "could say why the third region lagged. A follow-up is due in section 4.2 of the plan, owned by the platform team. "
)
BUSINESS = (
    "Analyze the Q3 revenue figures and flag any anomalies.", "Ignore the noise in the data and summarise.", "Research AI governance trends.",
    "Write a blog post about prompt injection defences.", "Forget about the old logo and propose three new ones.", "Act as a senior copy editor and tighten this paragraph.",
    "Disregard rows with missing values when computing the mean.", "Summarise the system requirements document for the board.", "Show me the instructions for assembling the desk.",
    "You are a helpful assistant that answers questions about billing.", "Print the report in landscape mode and email it to the sales team.", "Reset my dashboard filters to the default view.",
    "Translate the following contract to German without changing the numbering.", "Compare the previous release's rules with the new rules.", "Override the default timeout of 30 seconds with 60.",
    "Draft a policy on password rotation for contractors.", "The token budget of this run is 20000 tokens.", "Explain how API keys are rotated in our platform.",
    "From now on the weekly report goes out on Mondays.", "Send the quarterly data to finance by Friday.", "Explain what a system prompt is to a newcomer.", "Upgrade from version 1.2.3 to 2.0.1 before 2026-01-05.",
)  # fmt: skip


def rate(scanner: TextScanner, texts: Iterable[str], categories: Sequence[str]) -> str:
    """Share of texts with a finding of these categories."""
    flags = [bool(scanner.scan_input(text).of(*categories)) for text in texts]
    return f"{sum(flags) / len(flags):7.3f} of {len(flags):5d}" if flags else "      - of     0"


def spans_found(
    scanner: InputScanner, samples: Iterable[corpora.Sample], categories: Sequence[str]
) -> tuple[dict[str, list[bool]], float]:
    """Per kind, whether each known span has at least 80 % of its characters covered; and the precision of reported spans."""
    found: dict[str, list[bool]] = defaultdict(list)
    right = reported = 0
    for sample in samples:
        findings = scanner.scan_input(sample.text).of(*categories)
        covered = {place for finding in findings for place in range(finding.start, finding.end)}
        for kind, start, end in sample.spans:
            found[kind].append(sum(place in covered for place in range(start, end)) >= 0.8 * (end - start))
        for finding in findings:
            reported += 1
            right += any(start < finding.end and finding.start < end for _, start, end in sample.spans)
    return found, right / max(reported, 1)


def print_spans(title: str, found: dict[str, list[bool]], precision: float) -> None:
    """Prints recall per kind and in all."""
    every = [flag for flags in found.values() for flag in flags]
    print(
        f"\n{title}: recall {sum(every) / len(every):.3f} of {len(every)} spans, precision of reported spans {precision:.3f}"
    )
    for kind, flags in sorted(found.items(), key=lambda item: sum(item[1]) / len(item[1])):
        print(f"  {kind:20s} {sum(flags) / len(flags):.3f} of {len(flags)}")


def attack_sets() -> dict[str, list[str]]:
    """Texts that attack."""
    families = corpora.bastion()
    benign = families.pop("hard benign")
    del benign
    return {**{f"bastion {name}": texts for name, texts in families.items()}, **corpora.jailbreaks()}


def clean_sets() -> dict[str, list[str]]:
    """Texts that do not attack."""
    return {
        "bastion hard benign": corpora.bastion()["hard benign"],
        "business tasks": list(BUSINESS),
        "chat": corpora.chat(),
        "chat, other languages": corpora.foreign_chat(),
        "claims": corpora.claims(),
        "clinical notes": [sample.text for sample in clinical_notes(600)],
        "model answers": corpora.model_answers(),
    }


def print_attacks(scanner: TextScanner) -> None:
    """Prints the share of flagged texts, for the half seen during development and the half held out."""
    for title, sets in (
        ("attack sets: flagged (recall)", attack_sets()),
        ("clean sets: flagged (false alarms)", clean_sets()),
    ):
        print(f"\n{title:42s} {'development half':>18s} {'held-out half':>18s}")
        for name, texts in sets.items():
            halves = [[text for text in texts if corpora.held_out(text) is half] for half in (False, True)]
            print(f"  {name:40s} {rate(scanner, halves[0], ATTACKS):>18s} {rate(scanner, halves[1], ATTACKS):>18s}")


def print_data(scanner: TextScanner) -> None:
    """Prints the figures for personal data and secrets."""
    print_spans(
        "presidio-evaluator sentences, personal data", *spans_found(scanner, corpora.presidio_sentences(1500), DATA)
    )
    print_spans("clinical notes, personal and health data", *spans_found(scanner, clinical_notes(1300), DATA))
    print_spans("generated credentials", *spans_found(scanner, corpora.secrets(475), ("secret",)))
    clean = corpora.chat()[:600] + corpora.claims()[:400]
    print(f"\n  personal data in chat and claims (false alarms) {rate(scanner, clean, DATA)}")
    print(f"  secrets in hashes, UUIDs, addresses             {rate(scanner, corpora.fingerprints(400), ('secret',))}")
    print(f"  secrets in chat                                 {rate(scanner, clean, ('secret',))}")
    print(f"  personal data or secrets in business tasks      {rate(scanner, BUSINESS, (*DATA, 'secret'))}")


def microseconds(scanner: TextScanner, text: str, repeats: int) -> float:
    """CPU of one scan, best of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(repeats):
            scanner.scan_input(text)
        rounds.append((time.process_time() - start) / repeats * 1e6)
    return min(rounds)


def print_speed(scanner: TextScanner) -> None:
    """Prints CPU per text."""
    clean = (PROSE * 10)[:2000]
    print("\nCPU per scan")
    for name, text, repeats in (
        ("2 kB clean ASCII prose", clean, 2000),
        (
            "2 kB with five personal items",
            clean[:1700] + " jane.doe@example.org 123-45-6789 4111 1111 1111 1111 +442071838750",
            500,
        ),
        ("2 kB accented prose", clean.replace("o", "ö"), 200),
        ("100 kB clean ASCII prose", (PROSE * 400)[:100_000], 20),
        ("100 kB of digits and dashes", "1-2 3" * 20_000, 3),
        ("100 kB of base64", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo" * 2_900, 3),
        ("100 kB of half an attack", "ignore all the previous " * 4_200, 3),
    ):
        print(f"  {name:34s} {microseconds(scanner, text, repeats):12.1f} µs")


def print_misses(scanner: TextScanner, name: str) -> None:
    """Prints what was judged wrongly in the development half of one set."""
    attacking = name in attack_sets()
    for text in (attack_sets() | clean_sets())[name]:
        findings = scanner.scan_input(text).of(*ATTACKS)
        if not corpora.held_out(text) and bool(findings) is not attacking:
            print(repr(text[:400]), [(finding.kind, text[finding.start : finding.end]) for finding in findings])


def main() -> None:
    """Runs all measurements, or shows the misjudged texts of one set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", metavar="SET", help="show the misjudged development texts of this set")
    options = parser.parse_args()
    scanner = TextScanner()
    if options.misses:
        print_misses(scanner, options.misses)
        return
    print_attacks(scanner)
    print_data(scanner)
    print_speed(scanner)


if __name__ == "__main__":
    main()
