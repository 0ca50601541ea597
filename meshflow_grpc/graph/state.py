"""The state of one graph run: typed, JSON, and changed by updates alone."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.graph.annotations import checkable, without_presence
from meshflow_grpc.graph.reducers import last
from meshflow_grpc.workflow.problem import did_you_mean

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue

Reducer: TypeAlias = Callable[[Any, Any], Any]


class StateType:
    """What a state may hold: the annotations of a class, and for ``Annotated[type, reducer]`` how updates join."""

    def __init__(self, schema: type) -> None:
        hints = get_type_hints(schema, include_extras=True) if inspect.isclass(schema) else {}
        if not hints:
            raise TypeError(f"{getattr(schema, '__name__', schema)} has no annotated fields; use a TypedDict")
        fields = {name: without_presence(hint) for name, hint in hints.items()}
        self.reducers = {name: _reducer(name, hint) for name, hint in fields.items()}
        self._types = {name: TypeAdapter(checkable(hint)) for name, hint in fields.items()}

    def checked(self, values: object, place: str) -> dict[str, JsonValue]:
        """Returns the values when each is a known field of its type and JSON; raises InvalidRequestError naming every other."""
        if not isinstance(values, Mapping):
            raise InvalidRequestError.of(FieldViolation(place, f"must be a mapping, not {type(values).__name__}"))
        wrong = [
            FieldViolation(f"{place}.{name}", problem)
            for name, value in values.items()
            if (problem := self._problem(str(name), value)) is not None
        ]
        if wrong:
            raise InvalidRequestError.of(*wrong)
        return dict(values)

    def _problem(self, name: str, value: object) -> str | None:
        if name not in self._types:
            return f"is not a field of the state{did_you_mean(name, self._types)}"
        try:
            self._types[name].validate_python(value, strict=True)
        except ValidationError as error:
            return str(error.errors()[0]["msg"])
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return "is not JSON"
        return None


class GraphState:
    """The values of one run. Nodes see copies, so that only their updates change it."""

    def __init__(self, kind: StateType, values: object) -> None:
        self._kind = kind
        self._values = copy.deepcopy(kind.checked(values, "input"))

    def fresh(self) -> GraphState:
        """The same state, to try an update on."""
        made = copy.copy(self)
        made._values = copy.deepcopy(self._values)
        return made

    def copy(self) -> dict[str, Any]:
        """The values as they stand."""
        return copy.deepcopy(self._values)

    def update(self, node: str, update: object) -> dict[str, JsonValue]:
        """Joins a node's update in and returns it; raises InvalidRequestError, and then nothing has changed."""
        changes = self._kind.checked({} if update is None else update, node)
        joined = {
            name: self._kind.reducers[name](self._values[name], value) if name in self._values else value
            for name, value in changes.items()
        }
        self._values |= copy.deepcopy(self._kind.checked(joined, node))
        return changes


def _reducer(name: str, hint: Any) -> Reducer:  # noqa: ANN401 - any annotation
    found = [item for item in get_args(hint)[1:] if callable(item)] if get_origin(hint) is Annotated else []
    if len(found) > 1:
        raise TypeError(f"{hint} names {len(found)} reducers; one joins an update")
    if found and not _takes_two(found[0]):
        raise TypeError(f"the reducer of {name!r} must take two values: what is held, and the update")
    return found[0] if found else last


def _takes_two(reducer: Reducer) -> bool:
    try:
        inspect.signature(reducer).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # a builtin that does not say what it takes
        return True
    return True
