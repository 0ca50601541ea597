"""A `pattern` in a tool's parameters is matched by an engine that cannot backtrack."""

from __future__ import annotations

from typing import Any

import pytest

from meshflow_grpc.tools.schema import checker


def parameters(**fields: Any) -> dict[str, Any]:
    """A schema with these properties."""
    return {"type": "object", "properties": fields}


def test_a_pattern_refuses_what_does_not_match() -> None:
    """Naming the place and the pattern."""
    check = checker("t", parameters(code={"type": "string", "pattern": "^[A-Z]{3}$"}))

    assert check({"code": "ABC"}) is None
    assert check({"code": "abc"}) == "arguments.code: 'abc' does not match '^[A-Z]{3}$'"


def test_a_pattern_that_would_backtrack_for_ages_answers_at_once() -> None:
    """(a+)+$ over thirty thousand letters would not end in this universe."""
    check = checker("t", parameters(code={"type": "string", "pattern": "^(a+)+$"}))

    assert check({"code": "a" * 30_000 + "!"}) is not None


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)b", "(", "a++"])
def test_a_pattern_that_needs_backtracking_is_refused_where_the_tool_is_declared(pattern: str) -> None:
    """Back-references and look-around have no linear-time engine."""
    with pytest.raises(
        TypeError,
        match=r"parameters of tool 't'\.properties\.code\.anyOf\[0\]\.pattern: is not (a pattern of RE2|JSON Schema)",
    ):
        checker("t", parameters(code={"anyOf": [{"pattern": pattern}]}))


def test_pattern_properties_are_refused() -> None:
    """With what to do instead; a property of that name is one like any other."""
    with pytest.raises(TypeError, match="additionalProperties"):
        checker("t", {"type": "object", "patternProperties": {"^x": {}}})

    assert (
        checker("t", parameters(patternProperties={"type": "string"}, pattern={"const": {"pattern": "("}})) is not None
    )


def test_a_reference_out_of_the_schema_is_refused() -> None:
    """Parameters and outputs are held to one set of keywords: nothing is fetched."""
    with pytest.raises(TypeError, match="must refer to a place in this schema"):
        checker("t", parameters(code={"$ref": "https://schemas.example/code.json"}))
