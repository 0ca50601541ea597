"""What a stage answers when it does not let the step pass, and how a step ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage


class Verdict(StrEnum):
    """How a step ended, as recorded."""

    COMMITTED = "committed"
    DENIED = "denied"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Deny:
    """The step may not go on: a machine-readable reason, a sentence for people, and how to get past it."""

    reason: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """The step waits for a human."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The step executed and failed. ``usage`` is what the attempts may have cost; ``prepaid`` is the part settled already."""

    reason: str
    message: str
    usage: Usage = ZERO_USAGE
    prepaid: Usage = ZERO_USAGE


Refusal = Deny | Pause | Fail
