"""Annotations of a state, as Pydantic checks them."""

from __future__ import annotations

from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from typing_extensions import TypedDict


def without_presence(hint: Any) -> Any:  # noqa: ANN401 - any annotation
    """What is in ``Required`` or ``NotRequired``: a state may lack any field until a node writes it."""
    return without_presence(get_args(hint)[0]) if get_origin(hint) in (Required, NotRequired) else hint


def checkable(hint: Any, within: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401 - any annotation
    """The annotation without reducers, every TypedDict in it made anew as Pydantic takes it before Python 3.12.

    Raises TypeError for one that holds itself.
    """
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        return checkable(arguments[0], within)
    if is_typeddict(hint):
        if hint in within:
            raise TypeError(f"{hint.__name__} holds itself; make it with typing_extensions.TypedDict")
        hints = get_type_hints(hint, include_extras=True)
        fields = {name: checkable(each, (*within, hint)) for name, each in hints.items()}
        return TypedDict(hint.__name__, fields, total=hint.__total__)  # type: ignore[operator]  # made at run time
    if not arguments or get_origin(hint) is Literal:
        return hint
    made = tuple(checkable(each, within) for each in arguments)
    if made == arguments:
        return hint
    origin = Union if isinstance(hint, UnionType) else get_origin(hint)
    return origin[made]
