"""What schemathesis is told of the server: things that are there, and what Envoy answers in its own way."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

THERE = {
    "run_id": os.environ["FUZZ_RUN_ID"],
    "approval_id": os.environ["FUZZ_APPROVAL_ID"],
    "name": os.environ["FUZZ_WORKFLOW"],
}
ERASED = {"run_id": os.environ["FUZZ_ERASED_RUN_ID"]}


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other request is about something that is there; all others would be told that nothing is.

    Events are those of a run that has ended: a run that waits for a human may be watched for days. Erasures are of a run that nothing
    else is about.
    """
    if not path_parameters:
        return path_parameters
    path = context.operation.path
    there = ERASED if path.endswith(":erase") else THERE
    even = len(str(path_parameters)) % 2 == 0 or path.endswith(("/events", ":erase"))
    return {name: there.get(name, value) if even else value for name, value in path_parameters.items()}


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """QUERY is a method that Envoy knows to need a content type, which it asks for (400) before it looks for a route (405)."""
    return bool(case.method.upper() != "QUERY")
