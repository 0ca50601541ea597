"""One run of a compiled graph: its state is what the ledger's committed updates made of it, live and when it is taken up again."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.tool import ToolError
from meshflow_grpc.engine.events import output_text
from meshflow_grpc.engine.fork import inherited_of
from meshflow_grpc.graph.state import GraphState
from meshflow_grpc.tools.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.workflow import Workflow
    from meshflow_grpc.graph.state import StateType


class GraphRecursionError(Exception):
    """A run would have followed an edge that leads back more often than ``recursion_limit`` allows."""


class GraphRouteError(ValueError):
    """A router's answer leads nowhere, or to more than can be followed."""


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """A graph as it was compiled."""

    workflow: Workflow
    state: StateType
    functions: Mapping[str, Callable[[Any], Any]]
    routes: Mapping[str, tuple[Callable[[Any], Any], Mapping[Any, str]]]
    loops: frozenset[tuple[str, str]]
    recursion_limit: int


@dataclass
class GraphRun:
    """One run of a plan: its state, and how often it went round. ``take`` is to be told of the run's entries as they are durable."""

    plan: GraphPlan
    state: GraphState
    rounds: Counter[tuple[str, str]] = field(default_factory=Counter)
    error: Exception | None = None

    @classmethod
    def begin(cls, plan: GraphPlan, values: object) -> GraphRun:
        """A run before its first step; raises InvalidRequestError for values that are not the state's."""
        return cls(plan, GraphState(plan.state, values))

    def registry(self) -> Registry:
        """The functions of the nodes, bound to this run."""
        registry = Registry()
        for name in self.plan.functions:
            registry.function(name)(self._bound(name))
        return registry

    def start(self, values: object) -> None:
        """Goes back to before the first step, with these values; raises InvalidRequestError when they are not the state's."""
        self.state = GraphState(self.plan.state, values)
        self.rounds.clear()
        self.error = None

    def take(self, entry: LedgerEntry) -> None:
        """Joins the update of a committed step in, also of those a fork has from its parent; a failure fails the step that follows."""
        for step in inherited_of(entry):
            self._join(cast("str", step["node_id"]), cast("str | None", step["output"]))
        if entry.kind is EntryKind.STEP_COMMITTED:
            self._join(entry.node_id, output_text(entry.output))

    def _join(self, name: str, output: str | None) -> None:
        try:
            if output is None:
                raise ValueError(f"the output of {name!r} is not readable any more")
            document = json.loads(output)
            self.state.update(name, document["update"])
            self.rounds.update((name, target) for target in document["rounds"])
        except Exception as error:  # noqa: BLE001 - reducers are the application's: what they raise fails the run, not the ledger
            self.error = self.error or error

    def _bound(self, name: str) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
        async def call(_data: dict[str, Any]) -> dict[str, Any]:
            try:
                if self.error is not None:
                    raise self.error
                return await self._update(name, await _called(self.plan.functions[name], self.state.copy()))
            except ToolError:
                raise
            except (InvalidRequestError, GraphRecursionError, GraphRouteError) as error:
                self.error = error
                raise ToolError(str(error)) from error
            except Exception as error:
                self.error = error
                raise

        return call

    async def _update(self, name: str, answer: object) -> dict[str, JsonValue]:
        """What the step commits: its update, the nodes its router chose, and those of them that lead back."""
        after = self.state.fresh()
        update = after.update(name, answer)
        chosen = await self._route(name, after)
        _, targets = self.plan.routes.get(name, (None, {}))
        back = self._back(name, chosen, set(targets.values()))
        document: dict[str, Any] = {"update": update, "route": chosen, "rounds": back}
        return document

    async def _route(self, name: str, state: GraphState) -> list[str]:
        """The nodes the router chose; raises GraphRouteError for answers that lead nowhere."""
        route, targets = self.plan.routes.get(name, (None, {}))
        answer = [] if route is None else route(state.copy())
        if inspect.isawaitable(answer):
            answer = await answer
        chosen = []
        for label in [answer] if isinstance(answer, str) or not isinstance(answer, Iterable) else list(answer):
            if label not in targets:
                known = ", ".join(map(repr, targets))
                raise GraphRouteError(f"the router of {name!r} answered {label!r}; its edges are for {known}")
            chosen.append(targets[label])
        if route is not None and not chosen:
            raise GraphRouteError(f"the router of {name!r} chose nothing; answer END to end there")
        return chosen

    def _back(self, name: str, chosen: list[str], routed: set[str]) -> list[str]:
        """Edges that lead back; one is followed alone, because going round leaves the others undecided. Raises GraphRecursionError."""
        back = [edge for edge in self.plan.loops if edge[0] == name and (edge[1] in chosen or edge[1] not in routed)]
        if back and len(set(chosen) | {edge[1] for edge in back}) > 1:
            raise GraphRouteError(
                f"{name!r} leads back to {back[0][1]!r} and elsewhere at the same time; choose one of them"
            )
        limit = self.plan.recursion_limit
        for edge in back:
            if self.rounds[edge] >= limit:
                raise GraphRecursionError(
                    f"{name} -> {edge[1]} was followed {limit} times, which is the recursion_limit"
                )
        return [edge[1] for edge in back]


async def _called(function: Callable[[Any], Any], state: dict[str, Any]) -> object:
    """Plain functions run in a thread, so that parallel nodes do not wait for one another."""
    if inspect.iscoroutinefunction(function):
        return cast("object", await function(state))
    return await asyncio.to_thread(function, state)
