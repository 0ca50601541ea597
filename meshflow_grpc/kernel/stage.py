"""What the deciding stages have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from meshflow_grpc.kernel.decision import Refusal
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState


@dataclass(frozen=True, slots=True)
class Noted:
    """The step passes in a way the ledger must tell: ``decision`` and ``reason`` replace the plain "allow"."""

    decision: str
    reason: str


class Check(ABC):
    """A stage that looks at a step and lets it pass, perhaps noting something in its state, or refuses it. Synchronous, quick."""

    name: ClassVar[str]

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports

    @abstractmethod
    def apply(self, state: StepState) -> StepState | Noted | Refusal:
        """Returns the state when the step may pass, else a refusal. What it changes in the state it changes last.

        Whatever it raises denies the step (fail closed).
        """
