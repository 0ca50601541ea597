"""Every field of the policy, misspelt, is refused with the right name."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.governance.enforcement import POLICY_FIELDS
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from tests.unit.engine.conftest import make_world


@pytest.mark.parametrize("field", POLICY_FIELDS)
async def test_a_letter_missing_names_the_field(field: str) -> None:
    """The last letter is left out; no model is called."""
    world = make_world()
    with pytest.raises(InvalidRequestError, match=f"did you mean '{field}'"):
        await world.run(policy={field[:-1]: 1})
    assert world.provider.requests == []


def test_a_rule_that_is_wrong_is_named_by_its_place() -> None:
    """And the part of it."""
    rules = [
        {"name": "a", "effect": "deny", "expression": "true"},
        {"name": "b", "effect": "denny", "expression": "true"},
    ]
    with pytest.raises(InvalidRequestError, match=r"effect of rule 1 must be one of .* did you mean 'deny'"):
        parse_policy_fields({"rules": rules})
    with pytest.raises(InvalidRequestError, match="rule 0 is not"):
        parse_policy_fields({"rules": [{"name": "a"}]})
