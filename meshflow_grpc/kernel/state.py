"""What the stages see: the run they act in, the step, and what is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.approval import GrantedApproval
    from meshflow_grpc.domain.conversation import Turn
    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.peer_step import AskedPeer, PeerRecord
    from meshflow_grpc.domain.policy import Policy, RiskTier
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.domain.tool import Action
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.governance.budget import Budget
    from meshflow_grpc.governance.detection.finding import ScanResult
    from meshflow_grpc.governance.learning import WorkflowStatistics
    from meshflow_grpc.governance.recipients import Recipient
    from meshflow_grpc.kernel.decision import Verdict
    from meshflow_grpc.ports.provider import ToolCall, ToolSpec
    from meshflow_grpc.ports.storage import RunChange


@dataclass(slots=True)
class RunContext:
    """One run as its steps see it. Built once per run; only the budget changes, and ``ending`` once the run takes no more steps.

    A step cancelled while its run is not ``ending`` is taken again later, here or on another server.
    """

    run_id: str
    tenant_id: str
    principal: Principal
    policy: Policy
    policy_digest: str
    agents: Mapping[str, str]
    budget: Budget
    deadline: float
    labels: Mapping[str, str] = field(default_factory=dict)
    learned: WorkflowStatistics | None = None
    reviewed: bool = False
    approved: bool = True
    ending: bool = False
    conversation: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a call inside an agent's loop gave. ``in_doubt`` is set when the run may not go on by itself."""

    content: str
    is_error: bool = False
    labels: frozenset[str] = frozenset()
    in_doubt: str | None = None


class Toolbox(Protocol):
    """The tools that one agent's step is offered. Each call is a step of its own, through the same kernel."""

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told of them."""
        ...

    async def call(self, call: ToolCall, labels: frozenset[str]) -> ToolAnswer:
        """Takes the step; ``labels`` are those of everything the agent has seen. Raises LedgerUnavailableError."""
        ...


class Closing(Protocol):
    """The end of a run, which is recorded with its last step: one append where one would wait for the other."""

    def change(self, output: str, spent: Usage) -> tuple[EntryDraft, RunChange] | None:
        """The entry that ends the run with this output, and what it changes; None when the run goes on.

        ``spent`` is the whole run's, this step's included. Whoever asks records it.
        """
        ...

    def recorded(self, entry: LedgerEntry) -> None:
        """The entry is durable: the run has ended."""
        ...


@dataclass(slots=True, eq=False)
class Step:
    """One step to govern: a node, the place in the run, and its input. Nothing changes in it once it is governed.

    ``epoch`` grows each time the run is resumed. ``granted`` is the approval the step got.
    ``live`` is told of each stage's decision as it falls, ``deltas`` of each piece of the answer that can be shown and its offset,
    while someone watches. ``action`` is what tool and python steps call;
    ``tools`` what an agent may. ``in_doubt`` says that the step may have acted before.
    ``output_check`` says what is wrong with an output. ``asked`` is the peer that an earlier life of the run asked.
    ``closing`` ends the run with the step, if it is the last.
    """

    run: RunContext
    node: Node
    step_id: str
    number: int
    prompt: str
    input_json: str
    labels: frozenset[str] = frozenset()
    iteration: int = 1
    epoch: int = 1
    granted: GrantedApproval | None = None
    in_doubt: bool = False
    output_check: Callable[[str], str | None] | None = None
    closing: Closing | None = None
    live: Callable[[StageDecision], None] | None = None
    deltas: Callable[[int, str], None] | None = None
    action: Action | None = None
    tools: Toolbox | None = None
    asked: AskedPeer | None = None


class Execution(NamedTuple):
    """What execution produced. ``usage`` holds all attempts; ``prepaid`` is the part that retries settled already.

    ``peer`` is the run elsewhere that produced it.
    """

    output: str
    model: str
    usage: Usage
    prepaid: Usage
    attempts: int
    stop_reason: str = "end_turn"
    confidence: float | None = None
    peer: PeerRecord | None = None


@dataclass(slots=True, eq=False)
class StepState:
    """A step on its way through the stages: each notes in it what those after it go by.

    ``prompt`` is what the agent will be told, ``labels`` are those of all that went into the step, ``output`` is what may be released.
    ``recipients`` are those it may hand data to under profile gdpr; None where nothing says so.
    """

    step: Step
    prompt: str
    labels: frozenset[str]
    risk: RiskTier
    started: float
    reserved: Usage = ZERO_USAGE
    controls: tuple[str, ...] = ()
    scan: ScanResult | None = None
    masked: Mapping[str, int] | None = None
    execution: Execution | None = None
    output: str | None = None
    recipients: tuple[Recipient, ...] | None = None


@dataclass(frozen=True, slots=True)
class StageDecision:
    """What one stage decided."""

    stage: str
    decision: str
    reason: str = ""


@dataclass(slots=True, eq=False)
class StepOutcome:
    """How a step ended. ``output`` is released only with its entry."""

    step: Step
    verdict: Verdict
    entry: LedgerEntry
    output: str = ""
    usage: Usage = ZERO_USAGE
    labels: frozenset[str] = frozenset()
    blocked_by: str | None = None
    reason: str | None = None
