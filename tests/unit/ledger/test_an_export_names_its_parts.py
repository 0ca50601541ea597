"""The run in an export is an object all through: what it used and what it waits for have names."""

from __future__ import annotations

import json

from meshflow_grpc.domain.run import PendingApproval
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ledger.run_export import run_json
from tests.conformance.drafts import new_run


def test_what_a_run_used_and_waits_for_is_told_by_name() -> None:
    """Not as lists whose order a reader would have to know."""
    waits = PendingApproval("apr_1", "gate", "why", "2026-01-01T00:00:00.000Z")
    run = new_run("run_1")._replace(usage=Usage(1, 2, 3, 4, 5), pending_approval=waits)
    told = json.loads(run_json(run, ()))["run"]
    used = {"input_tokens": 1, "output_tokens": 2, "cost_nano_usd": 3, "carbon_ug": 4, "steps": 5}
    assert told["usage"] == used
    assert told["pending_approval"]["node_id"] == "gate"
    assert told["labels"] == {"team": "ü"}
