"""Whether the policy that a workflow asks for is one: types, ranges and rules, each problem at its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from meshflow_grpc.governance.policy_rules import check_rules
from meshflow_grpc.workflow.problem import Problem
from meshflow_grpc.workflow.schema import POLICY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from meshflow_grpc.workflow.problem import Path

_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def policy_problems(policy: Mapping[object, object], known: Collection[Path]) -> Iterator[Problem]:
    """Every problem of the fields, each field by itself; ``known`` are the places that the shape's check has named."""
    for name, value in policy.items():
        if name not in POLICY["properties"]:
            continue
        try:
            check_rules(parse_policy_fields({cast("str", name): value}))
        except InvalidRequestError as error:
            found = (Problem(_path(each.field), each.description) for each in error.violations)
            yield from (problem for problem in found if problem.path not in known)


def _path(field: str) -> Path:
    """``policy.rules[0].expression`` as the parts that lead there."""
    return tuple(int(index) if index else name for index, name in _PART.findall(field))
