"""``@tool`` and ``Registry``: how an application declares what agents and workflows may call."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, TypeVar, overload

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.tool import FOREIGN, Tool
from meshflow_grpc.tools.calling import caller
from meshflow_grpc.tools.schema import checker, context_parameter, schema_of, takes_plain_values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue

F = TypeVar("F", bound="Callable[..., Any]")
LABELS = frozenset({"untrusted", "external", "pii", "phi", "secret"})
MAX_TIMEOUT_S = 86_400.0
# What model providers take as the name of a tool.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_REF = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")
_ATTRIBUTE = "__meshflow_tool__"


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, JsonValue] | None = None,
    risk: RiskTier | str = RiskTier.INTERNAL,
    labels: Iterable[str] = FOREIGN,
    idempotent: bool = False,
    timeout_s: float = 0.0,
    tenants: Iterable[str] | None = None,
) -> Callable[[F], F]: ...
def tool(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, JsonValue] | None = None,
    risk: RiskTier | str = RiskTier.INTERNAL,
    labels: Iterable[str] = FOREIGN,
    idempotent: bool = False,
    timeout_s: float = 0.0,
    tenants: Iterable[str] | None = None,
) -> F | Callable[[F], F]:
    """Declares a function as a tool; it stays a function. Name, description and parameters come from it unless given.

    Raises TypeError or ValueError for a declaration that could not be held to.
    """

    def declare(target: F) -> F:
        context_name = context_parameter(target)
        schema = schema_of(target, context_name) if parameters is None else dict(parameters)
        plain = parameters is None and takes_plain_values(target, context_name)
        declared = _declared(target, name or target.__name__, risk, labels, timeout_s)
        made = Tool(
            description=description or inspect.getdoc(target) or declared["name"],
            parameters=schema,
            call=caller(target, context_name, spread=True),
            check=checker(declared["name"], schema, plain=plain),
            idempotent=idempotent,
            tenants=_tenants(declared["name"], tenants),
            **declared,
        )
        if not _NAME.fullmatch(made.name):
            raise ValueError(f"tool name {made.name!r} must be 1 to 64 of A-Z a-z 0-9 _ -, first a letter or _")
        setattr(target, _ATTRIBUTE, made)
        return target

    return declare if function is None else declare(function)


def tool_of(function: object) -> Tool:
    """The tool that a decorated function declares. Raises TypeError when it is not decorated."""
    found = function if isinstance(function, Tool) else getattr(function, _ATTRIBUTE, None)
    if not isinstance(found, Tool):
        raise TypeError(f"{function!r} is not a tool; decorate it with @tool")
    return found


class Registry:
    """The tools and python functions of an application; implements ports.tools.ToolCatalog."""

    def __init__(self, *tools: Callable[..., Any] | Tool) -> None:
        self._tools: dict[str, Tool] = {}
        self._functions: dict[str, Tool] = {}
        for item in tools:
            self.add(item)

    def add(self, item: Callable[..., Any] | Tool) -> None:
        """Takes a decorated function. Raises ValueError when its name is taken."""
        added = tool_of(item)
        if added.name in self._tools:
            raise ValueError(f"there are two tools named {added.name!r}")
        self._tools[added.name] = added

    def function(
        self,
        name: str | None = None,
        *,
        risk: RiskTier | str = RiskTier.INTERNAL,
        labels: Iterable[str] = (),
        idempotent: bool = False,
        timeout_s: float = 0.0,
    ) -> Callable[[F], F]:
        """Registers the function of python nodes: it takes ``{"task", "upstream": {node: output}}``, gives text or an object."""

        def register(target: F) -> F:
            declared = _declared(target, name or target.__name__, risk, labels, timeout_s)
            ref = declared["name"]
            if not _REF.fullmatch(ref):
                raise ValueError(f"function name {ref!r} must be of A-Z a-z 0-9 _ . -, first a letter or _")
            if ref in self._functions:
                raise ValueError(f"there are two functions named {ref!r}")
            self._functions[ref] = Tool(
                description=inspect.getdoc(target) or ref,
                parameters={},
                call=caller(target, context_parameter(target), spread=False),
                check=lambda _: None,
                idempotent=idempotent,
                **declared,
            )
            return target

        return register

    def with_tools(self, *tools: Callable[..., Any] | Tool) -> Registry:
        """A copy that also has these tools, where their names are free."""
        made = Registry(*self._tools.values(), *(t for t in tools if tool_of(t).name not in self._tools))
        made._functions = dict(self._functions)
        return made

    def tool(self, name: str) -> Tool | None:
        """The tool of that name."""
        return self._tools.get(name)

    def function_of(self, ref: str) -> Tool | None:
        """The function of that name."""
        return self._functions.get(ref)

    @property
    def tool_names(self) -> Collection[str]:
        """All tools."""
        return self._tools.keys()

    @property
    def function_names(self) -> Collection[str]:
        """All functions."""
        return self._functions.keys()


def tier_of(risk: RiskTier | str, name: str) -> RiskTier:
    """The tier that is meant, given as one or by its name; raises ValueError for another word, naming what it is the risk of."""
    names = {tier.label: tier for tier in RiskTier}
    if isinstance(risk, RiskTier):
        return risk
    tier = names.get(str(risk))
    if tier is None:
        raise ValueError(f"risk of {name!r} must be one of {', '.join(names)}, not {risk!r}")
    return tier


def _declared(
    target: Callable[..., Any], name: str, risk: RiskTier | str, labels: Iterable[str], timeout_s: float
) -> dict[str, Any]:
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise TypeError(f"{name!r} is a generator; return the result as a whole")
    tier = tier_of(risk, name)
    given = frozenset((labels,)) if isinstance(labels, str) else frozenset(labels)
    if given - LABELS:
        raise ValueError(f"labels of {name!r} must be of {', '.join(sorted(LABELS))}, not {sorted(given - LABELS)}")
    if not 0 <= timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s of {name!r} must be 0 to {MAX_TIMEOUT_S:g}, not {timeout_s}")
    return {"name": name, "risk": tier, "labels": given, "timeout_s": float(timeout_s)}


def _tenants(name: str, tenants: Iterable[str] | None) -> frozenset[str] | None:
    if tenants is None:
        return None
    given = frozenset((tenants,)) if isinstance(tenants, str) else frozenset(tenants)
    if not given or not all(given):
        raise ValueError(f"tenants of {name!r} must name at least one tenant; leave it out for all")
    return given
