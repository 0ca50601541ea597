"""Personal data and secrets, tuned on and held out, ours and open components': `python -m benchmarks.detector_splits`.

Held out are notes and credentials in wordings, shapes and formats that no rule was written or changed for, and those of
presidio-evaluator's templates whose hash says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks import detector_corpora as corpora
from benchmarks.clinical_notes import clinical_notes
from benchmarks.detector_peers import InputScanner, data_peers, secret_peers
from benchmarks.detectors import DATA, spans_found
from benchmarks.held_out_texts import harmless, held_out_notes, held_out_secrets

COUNT = 600


def recall(found: dict[str, list[bool]]) -> tuple[float, int]:
    """Recall over all kinds, and of how many spans."""
    every = [flag for flags in found.values() for flag in flags]
    return sum(every) / len(every), len(every)


def f2(precision: float, recalled: float) -> float:
    """The F-measure that holds a miss for worse than a false alarm."""
    return 5 * precision * recalled / (4 * precision + recalled) if precision + recalled else 0.0


def flagged(scanner: InputScanner, texts: Iterable[str], categories: Sequence[str]) -> float:
    """Share of texts with a finding of these categories."""
    flags = [bool(scanner.scan_input(text).of(*categories)) for text in texts]
    return sum(flags) / len(flags)


def print_split(
    title: str, peers: dict[str, InputScanner], sets: dict[str, list[corpora.Sample]], categories: Sequence[str]
) -> None:
    """Prints recall, precision and F2 of each scanner on each set, and the kinds that ours misses."""
    for name, samples in sets.items():
        print(f"\n{title}, {name}")
        for peer, scanner in peers.items():
            found, precision = spans_found(scanner, samples, categories)
            recalled, spans = recall(found)
            print(
                f"  {peer:32s} recall {recalled:.3f} of {spans}  precision {precision:.3f}  F2 {f2(precision, recalled):.3f}"
            )
            if peer == "built-in":
                low = {kind: sum(flags) / len(flags) for kind, flags in found.items() if not all(flags)}
                print(
                    "    " + ", ".join(f"{kind} {share:.2f}" for kind, share in sorted(low.items(), key=lambda i: i[1]))
                )


def main() -> None:
    """Runs all measurements."""
    data, secrets = data_peers(), secret_peers()
    notes = {"tuned on": clinical_notes(COUNT), "held out": held_out_notes(COUNT)}
    halves = {"tuned on": False, "held out": True}
    sentences = {name: corpora.presidio_sentences(COUNT, half=half) for name, half in halves.items()}
    tokens = {"tuned on": corpora.secrets(475), "held out": held_out_secrets(480)}
    print_split("clinical and back-office notes", data, notes, DATA)
    print_split("presidio-evaluator sentences", data, sentences, DATA)
    print_split("credentials", secrets, tokens, ("secret",))
    clean = corpora.chat()[:600] + corpora.claims()[:400]
    print("\nfalse alarms: share of texts flagged")
    for peer, scanner in data.items():
        print(f"  {peer:32s} small talk and claims {flagged(scanner, clean, DATA):.3f} of {len(clean)}")
    for peer, scanner in secrets.items():
        hashes, others = list(corpora.fingerprints(400)), harmless(400)
        print(
            f"  {peer:32s} hashes, UUIDs {flagged(scanner, hashes, ('secret',)):.3f} of 400, other identifiers "
            f"{flagged(scanner, others, ('secret',)):.3f} of 400, small talk {flagged(scanner, clean, ('secret',)):.3f}"
        )


if __name__ == "__main__":
    main()
