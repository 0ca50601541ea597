"""Where the router of a node may lead: what its answers mean, as far as that is known before it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from meshflow_grpc.domain.workflow import END

Route: TypeAlias = Callable[[Any], Any]
Targets: TypeAlias = Mapping[Any, str] | Sequence[str]


@dataclass(frozen=True, slots=True)
class Branch:
    """A router, and the nodes its answers mean; None: an answer is the node's name, or END."""

    route: Route
    targets: Mapping[Any, str] | None

    @classmethod
    def of(cls, source: str, route: Route, targets: Targets | None) -> Branch:
        """Targets that are not given are those of a ``Literal`` the router is annotated with. Raises TypeError, ValueError."""
        if not callable(route):
            raise TypeError(f"the router of {source!r} must be a function of the state, not {type(route).__name__}")
        given: Any = _annotated(route) if targets is None else targets
        if given is None:
            return cls(route, None)
        if isinstance(given, str) or not isinstance(given, Mapping | Sequence):
            raise TypeError(f"the targets of {source!r} must be a list of nodes or a mapping to them, not {given!r}")
        named = dict(given) if isinstance(given, Mapping) else {target: target for target in given}
        wrong = [target for target in named.values() if not isinstance(target, str)]
        if wrong:
            raise TypeError(f"the targets of {source!r} must be names of nodes or END, not {wrong[0]!r}")
        if not named:
            raise ValueError(f"the router of {source!r} needs a target; leave targets out when it may lead to any node")
        return cls(route, named)

    def resolved(self, nodes: Iterable[str], taken: set[str]) -> Mapping[Any, str]:
        """Its targets; of an open router every node and END, but for those that are ``taken`` by edges always followed."""
        if self.targets is not None:
            return self.targets
        return {target: target for target in (*nodes, END) if target not in taken}


def _annotated(route: Route) -> tuple[str, ...] | None:
    """The answers in ``-> Literal[...]`` or a list of such; None when the annotation names none or cannot be read."""
    try:
        hint = get_type_hints(route).get("return")
    except (TypeError, NameError, AttributeError):  # no function, or names that only a type checker knows
        return None
    for each in (hint, *get_args(hint)):
        if get_origin(each) is Literal:
            return tuple(get_args(each))
    return None
