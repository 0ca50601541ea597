"""Every field of the policy, misspelt, is refused with the right name."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.governance.enforcement import POLICY_FIELDS
from tests.unit.engine.conftest import make_world


@pytest.mark.parametrize("field", POLICY_FIELDS)
async def test_a_letter_missing_names_the_field(field: str) -> None:
    """The last letter is left out; no model is called."""
    world = make_world()
    with pytest.raises(InvalidRequestError, match=f"did you mean '{field}'"):
        await world.run(policy={field[:-1]: 1})
    assert world.provider.requests == []
