"""The Dockerfile as instructions, and its stages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its words, continuation lines joined, comments left out."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


@dataclass
class Stage:
    """From one FROM to the next: the steps that change its files, and what else it says."""

    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


def stages() -> list[Stage]:
    """In their order; a stage without a name has an empty one."""
    found: list[Stage] = []
    for instruction, words in instructions():
        if instruction == "FROM":
            found.append(Stage(words.partition(" AS ")[2]))
        elif instruction in {"RUN", "COPY"}:
            found[-1].steps.append((instruction, words))
        elif instruction == "ENV":
            found[-1].environment |= dict(pair.split("=", 1) for pair in words.split())
        else:
            found[-1].said[instruction] = words
    return found
