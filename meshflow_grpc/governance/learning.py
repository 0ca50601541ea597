"""What finished runs teach about the next one: usage per node and model, folded from ledger entries. Pure, order-independent."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry

NodeModel = tuple[str, str]
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Margin:
    """By how much a model exceeded the bound of its tokens at worst, in millionths of the bound; never below one."""

    input_ppm: int = MILLION
    output_ppm: int = MILLION

    def raised(self, tokens_in: int, tokens_out: int) -> tuple[int, int]:
        """The bounds made large enough for what was seen; never smaller than they are."""
        return -(-tokens_in * self.input_ppm // MILLION), -(-tokens_out * self.output_ppm // MILLION)

    def over(self, other: Margin) -> Margin:
        """The larger of each."""
        return Margin(max(self.input_ppm, other.input_ppm), max(self.output_ppm, other.output_ppm))


NO_MARGIN = Margin()


@dataclass(slots=True)
class NodeStatistics:
    """One node with one model: in how many runs it committed how many steps, what they used in all and the dearest step."""

    runs: int = 0
    steps: int = 0
    usage: Usage = ZERO_USAGE
    max_cost_nano_usd: int = 0
    margin: Margin = NO_MARGIN

    @property
    def per_run(self) -> Usage:
        """Mean usage of the node in a run that came to it, rounded up."""
        total, runs = self.usage, max(1, self.runs)
        return Usage(
            ceil(total.input_tokens / runs),
            ceil(total.output_tokens / runs),
            ceil(total.cost_nano_usd / runs),
            ceil(total.carbon_ug / runs),
            ceil(total.steps / runs),
        )


@dataclass(slots=True)
class WorkflowStatistics:
    """A workflow's nodes, by node and model."""

    runs: int = 0
    nodes: dict[NodeModel, NodeStatistics] = field(default_factory=dict)

    def add_run(self, entries: Iterable[LedgerEntry]) -> None:
        """Folds one finished run."""
        self.runs += 1
        steps = [entry for entry in entries if entry.kind is EntryKind.STEP_COMMITTED]
        with_tools = {entry.facts["parent"] for entry in steps if "parent" in entry.facts}
        seen: set[NodeModel] = set()
        for entry in steps:
            model = entry.facts.get("model")
            if isinstance(model, str) and model:
                key = (entry.node_id, model)
                self._add_step(key, entry, first=key not in seen, one_call=entry.step_id not in with_tools)
                seen.add(key)

    def _add_step(self, key: NodeModel, entry: LedgerEntry, *, first: bool, one_call: bool) -> None:
        node = self.nodes.setdefault(key, NodeStatistics())
        facts = entry.facts
        tokens = cast("Mapping[str, int]", facts["tokens"])
        cost = cast("int", facts["cost_nano_usd"])
        node.runs += first
        node.steps += 1
        node.usage += Usage(tokens["input"], tokens["output"], cost, cast("int", facts["carbon_ug"]), 1)
        node.max_cost_nano_usd = max(node.max_cost_nano_usd, cost)
        if one_call and facts.get("attempts") == 1:
            node.margin = node.margin.over(_margin(facts, tokens))

    def margin_of(self, node_id: str, model: str) -> Margin:
        """What reservations of the node are raised by."""
        found = self.node(node_id, model)
        return found.margin if found is not None else NO_MARGIN

    def node(self, node_id: str, model: str) -> NodeStatistics | None:
        """What is known of the node with the model, or with a dated version of it (``name`` answers as ``name-20260101``)."""
        exact = self.nodes.get((node_id, model))
        if exact is not None:
            return exact
        return next((n for (i, name), n in self.nodes.items() if i == node_id and name.startswith(f"{model}-")), None)


def _margin(facts: Mapping[str, JsonValue], used: Mapping[str, int]) -> Margin:
    """How a single call compares with what was reserved for it."""
    bound = cast("Mapping[str, int] | None", facts.get("reserved_tokens"))
    if bound is None:
        return NO_MARGIN
    return Margin(
        max(MILLION, -(-used["input"] * MILLION // max(1, bound["input"]))),
        max(MILLION, -(-used["output"] * MILLION // max(1, bound["output"]))),
    )
