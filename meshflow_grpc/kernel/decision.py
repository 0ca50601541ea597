"""What a stage answers when it does not let the step pass, and how a step ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage

if TYPE_CHECKING:
    from meshflow_grpc.domain.peer_step import PeerRecord


class Verdict(StrEnum):
    """How a step ended, as recorded."""

    COMMITTED = "committed"
    DENIED = "denied"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Deny:
    """The step may not go on: a machine-readable reason, a sentence for people, and how to get past it.

    ``usage`` and ``prepaid`` are set when it was refused in the midst of execution, as in Fail; ``peer`` is the run it made elsewhere.
    """

    reason: str
    message: str
    remedy: str = ""
    usage: Usage = ZERO_USAGE
    prepaid: Usage = ZERO_USAGE
    peer: PeerRecord | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """The step waits for a human. ``usage`` and ``prepaid`` as in Deny."""

    reason: str
    message: str
    usage: Usage = ZERO_USAGE
    prepaid: Usage = ZERO_USAGE
    peer: PeerRecord | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """The step executed and failed. ``usage`` is what the attempts may have cost; ``prepaid`` is the part settled already."""

    reason: str
    message: str
    usage: Usage = ZERO_USAGE
    prepaid: Usage = ZERO_USAGE
    peer: PeerRecord | None = None


class Interrupted(asyncio.CancelledError):
    """Execution was cancelled after it had used something; fields as in Fail."""

    def __init__(self, usage: Usage, prepaid: Usage, peer: PeerRecord | None = None) -> None:
        super().__init__()
        self.peer = peer
        self.usage = usage
        self.prepaid = prepaid


Refusal = Deny | Pause | Fail
