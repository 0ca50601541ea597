"""A run as a program asks for it in its own process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import RunRequest
from meshflow_grpc.governance.policy_fields import request_policy

if TYPE_CHECKING:
    from meshflow_grpc.governance.policy_document import AnyPolicy


def program_request(given: object, policy: AnyPolicy | None, workflow_yaml: str | None = None) -> RunRequest:
    """A request for a task in words, or an object; raises InvalidRequestError for what is neither, and TypeError for no policy."""
    fields = request_policy(policy)
    if isinstance(given, str) and given.strip():
        return RunRequest(task=given, policy=fields, workflow_yaml=workflow_yaml)
    if isinstance(given, Mapping):
        return RunRequest(input=dict(given), policy=fields, workflow_yaml=workflow_yaml)
    blank = "must not be blank" if isinstance(given, str) else f"must be text or a mapping, not {given!r}"
    raise InvalidRequestError.of(FieldViolation("input", blank))
