"""The most that a session ever had spent and reserved, folded from its ledger alone: an auditor's view of the invariant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def peak_nano_usd(records: Iterable[bytes]) -> int:
    """Highest Σreserved + Σspent after any of the records, which come in the ledger's order."""
    still_open: dict[tuple[str, str], int] = {}
    spent = peak = 0
    for raw in records:
        record = json.loads(raw)
        run_id, kind, step_id, facts = record["run_id"], record["kind"], record["step_id"], record["facts"]
        if kind == "budget_reserved":
            still_open[run_id, step_id.partition("$")[0]] = facts["worst_case"]["cost_nano_usd"]
        elif kind == "run_resumed":
            for key in [key for key in still_open if key[0] == run_id]:
                spent += still_open.pop(key)
        elif kind.startswith("step_") and kind != "step_intent":
            still_open.pop((run_id, step_id), None)
            spent += facts["cost_nano_usd"]
        peak = max(peak, spent + sum(still_open.values()))
    assert not still_open
    return peak
